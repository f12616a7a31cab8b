import type { RolloutRequest } from '../../../src/client/contract/rollout.ts';
import type { Effect } from '../../../src/coordinator/effect.ts';
import type { OfferFacts } from '../../../src/coordinator/rollout/offer-facts.ts';
import { planRollout } from '../../../src/coordinator/rollout/plan-rollout.ts';
import { reduceRollout, type RolloutInput } from '../../../src/coordinator/rollout/reduce-rollout.ts';
import type { RolloutState } from '../../../src/coordinator/rollout/rollout-state.ts';
import type { TargetDevice } from '../../../src/coordinator/rollout/target-device.ts';
import type { Evidence, Running, UpdateEvent } from '../../../src/protocol/event.ts';
import type { DeltaOffer } from '../../../src/protocol/request.ts';

export const newUuid = '00000000-0000-4000-8000-000000000002';
export const oldUuid = '00000000-0000-4000-8000-000000000001';
export const timers = { offered: 10, downloading: 20, verified: 10, installing: 30, rebooting: 40, testing: 50 };
export const bundle = {
  product: 'meter',
  version: '2.0.0',
  bundleUuid: newUuid,
  sizeBytes: 100,
  sha256: 'a'.repeat(64),
  partBytes: 262_144,
  partSha256: ['b'.repeat(64)],
};

export const ids = (count: number) => Array.from({ length: count }, (_, index) => `d${String(index).padStart(2, '0')}`);

interface World {
  connected: boolean;
  running: Running;
  quarantinedBundles: string[];
  sinceMs: number;
  grains: Record<string, unknown>;
  tags: Record<string, string>;
}

/** A rollout and the devices around it, as the registry would know them. */
export class RolloutBench {
  state: RolloutState;
  readonly effects: Effect[] = [];
  readonly deltas: DeltaOffer[] = [];
  readonly world = new Map<string, World>();
  /** Other rollouts that have a device first. */
  readonly holders = new Map<string, string>();
  /** Devices whose agent is the one that is brought, and those with another update of it. */
  readonly agents = new Set<string>();
  readonly agentUpdates = new Map<string, string>();
  /** Devices whose agent knows nothing of `conduct`. */
  readonly oldAgents = new Set<string>();
  /** Of the session that lives now. */
  readonly certificates = new Map<string, { serial: string; issuedAtMs: number; connectedAtMs: number }>();
  readonly configs = new Map<string, { sha256: string; takenUp: boolean; version: number }>();
  nowMs = 0;

  constructor(
    targets: string[],
    request: Partial<RolloutRequest> = {},
    offline: string[] = [],
    held?: string,
    grainsOf: (id: string) => Record<string, unknown> = () => ({}),
  ) {
    for (const id of targets) {
      this.world.set(id, {
        connected: !offline.includes(id),
        running: { bootId: `${id}-boot-1`, slot: 'a', bundleUuid: oldUuid },
        quarantinedBundles: [],
        sinceMs: 0,
        grains: grainsOf(id),
        tags: {},
      });
    }
    const brings = request.action === undefined ? { release: 'meter/2.0.0/stable' } : {};
    this.state = planRollout({ ...brings, selector: '*', ...request }, targets, {
      id: 'r1',
      ...brings,
      ...(request.action === undefined ? { bundle } : {}),
      terms: { timeoutSeconds: 60, program: { release: 'flotilla-agent/2.0.0/stable', bundle } },
      startedBy: 'local:0',
      timers: { ...timers, running: 60 },
      nowMs: 0,
      connected: (id) => this.world.get(id)!.connected,
      heldBy: (id) => (id === held ? 'r0' : undefined),
      select: (selector) => new Set(targets.filter((id) => id.startsWith(selector.replace('*', '')))),
      facts: (id) => ({ id, grains: this.world.get(id)!.grains, tags: {} }),
    });
  }

  open(): this {
    this.feed({ kind: 'open' });
    return this;
  }

  get facts(): OfferFacts {
    return {
      connected: (id) => this.world.get(id)?.connected === true,
      sinceMs: (id, atLeastMs) => Math.max(this.world.get(id)?.sinceMs ?? 0, atLeastMs),
      state: (id) => (this.world.has(id) ? 'accepted' : undefined),
      tag: (id, name) => this.world.get(id)?.tags?.[name],
      hasReverted: (id, bundleUuid) => this.world.get(id)?.quarantinedBundles.includes(bundleUuid) === true,
      running: (id) => this.world.get(id)?.running,
      delta: (bundleUuid, fromUuid) =>
        this.deltas.find((delta) => bundleUuid === newUuid && delta.fromUuid === fromUuid),
      takesConduct: (id) => !this.oldAgents.has(id),
      holder: (id) => this.holders.get(id),
      takes: (id) => !this.oldAgents.has(id),
      certificate: (id) => (this.world.get(id)?.connected === true ? this.certificates.get(id) : undefined),
      hasAgent: (id) => this.agents.has(id),
      agentUpdate: (id) => this.agentUpdates.get(id),
      config: (id) => this.configs.get(id),
    };
  }

  feed(input: RolloutInput, nowMs = this.nowMs, facts = this.facts): Effect[] {
    this.nowMs = nowMs;
    const { state, effects } = reduceRollout(this.state, input, facts, nowMs);
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }

  device(id: string): TargetDevice {
    return this.state.devices.at(this.state.index.get(id)!);
  }

  requested(type: 'update.offer' | 'update.cancel'): string[] {
    return this.effects.flatMap((effect) =>
      effect.kind === 'request' && effect.request.type === type ? [effect.deviceId] : [],
    );
  }

  tell(id: string, state: UpdateEvent['state'], over: Partial<UpdateEvent> = {}): Effect[] {
    const event: UpdateEvent = { rolloutId: 'r1', bundleUuid: newUuid, state, attempt: 1, ...over };
    return this.feed({ kind: 'update', deviceId: id, event });
  }

  presence(id: string, connected: boolean): void {
    const device = this.world.get(id)!;
    device.connected = connected;
    device.sinceMs = this.nowMs;
    this.feed({ kind: 'presence', deviceId: id });
  }

  /** The device restarts into the other slot, and the coordinator stores its boot event. */
  reboot(id: string, running: Partial<Running> = {}): Running {
    const device = this.world.get(id)!;
    device.running = { bootId: `${id}-boot-2`, slot: 'b', bundleUuid: newUuid, ...running };
    this.feed({ kind: 'presence', deviceId: id });
    return device.running;
  }

  /** A whole honest update. */
  update(id: string): void {
    const before = this.world.get(id)!.running;
    for (const state of ['downloading', 'verified', 'installing', 'rebooting'] as const) this.tell(id, state);
    const after = this.reboot(id);
    this.tell(id, 'testing');
    this.tell(id, 'committed', { evidence: evidence(before, after) });
  }

  rollBack(id: string): void {
    for (const state of ['downloading', 'installing', 'rebooting', 'testing'] as const) this.tell(id, state);
    this.tell(id, 'rolled-back', { reason: { code: 'health-failed', message: 'no' } });
  }
}

export function evidence(before: Running, after: Running, over: Partial<Evidence> = {}): Evidence {
  return { before, after, health: [{ name: 'app', ok: true, durationMs: 1 }], downloadedBytes: 100, ...over };
}
