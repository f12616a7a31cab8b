import type { Evidence, Running, UpdateEvent, UpdateState } from '../protocol/event.ts';
import type { UpdateCancel, UpdateOffer } from '../protocol/request.ts';
import type { Behaviour } from './behaviour.ts';
import { textTags, type FleetDevice } from './fleet.ts';
import { zoneGrain } from '../coordinator/rollout/plan-rollout.ts';
import type { RolloutInput } from '../coordinator/rollout/reduce-rollout.ts';

/**
 * What a simulated device is doing; `installed`: it may restart when it has to; `reverting`: it restarts into the slot that
 * it came from; `asked`, `running` and `hanging` are of an action that is no update.
 */
export type Step =
  | 'idle'
  | 'offered'
  | 'downloading'
  | 'verified'
  | 'installing'
  | 'installed'
  | 'rebooting'
  | 'testing'
  | 'reverting'
  | 'asked'
  | 'running'
  | 'hanging';

export type Asked =
  | { kind: 'offer'; offer: UpdateOffer }
  | { kind: 'cancel'; cancel: UpdateCancel }
  | { kind: 'step'; attempt: number }
  | { kind: 'cancel-step' };

/** A device as a small state machine: it says what a real agent says, in the same order, with evidence. */
export class SimulatedDevice {
  readonly id: string;
  readonly behaviour: Behaviour;
  readonly tags: Readonly<Record<string, string>>;
  /** By which it reads windows of its own clock. */
  readonly zone: string | undefined;
  /** Its network; a device that restarts is away whatever that is. */
  hasLink: boolean;
  /** It has not been there yet. */
  isAbsent: boolean;
  isOn = true;
  /** Its link comes and goes: from when its phase begins, before that nobody looks. */
  isFlapping = false;
  /** Of the last connect or disconnect. */
  sinceMs: number;
  running: Running;
  /** The last boot that the coordinator has heard of. */
  told: Running;
  quarantinedBundles: readonly string[] = [];
  step: Step = 'idle';
  /** The step that a due event belongs to: an older one means nothing any more. */
  turn = 0;
  stepEndsMs = 0;
  /** Of a download that waits for the link. */
  leftMs: number | undefined;
  offer: UpdateOffer | undefined;
  /** What it was told while it was away. */
  readonly inbox: Asked[] = [];
  readonly outbox: RolloutInput[] = [];
  /** The try of an action that is no update. */
  attempt = 0;
  /** Of its certificate. */
  serial = 1;
  issuedAtMs: number;
  /** A look at its time limit is already due. */
  isChecked = false;
  #before: Running;
  #boots = 1;
  #testingSinceMs = 0;
  #installedAtMs = 0;

  constructor(device: FleetDevice, behaviour: Behaviour, previousUuid: string, nowMs: number) {
    this.id = device.id;
    this.behaviour = behaviour;
    this.tags = textTags(device);
    const zone = device.grains[zoneGrain];
    this.zone = typeof zone === 'string' ? zone : undefined;
    this.hasLink = behaviour.awayFor === undefined;
    this.isAbsent = !this.hasLink;
    this.sinceMs = nowMs;
    this.issuedAtMs = nowMs - 1;
    this.running = { bootId: 'boot-1', slot: 'a', bundleUuid: device.runningUuid ?? previousUuid };
    this.told = this.running;
    this.#before = this.running;
  }

  get isConnected(): boolean {
    return this.hasLink && this.isOn;
  }

  begin(offer: UpdateOffer): void {
    this.offer = offer;
    this.#before = this.running;
  }

  /** Restarts into the other slot with the bundle that it was offered, or back. */
  boot(nowMs: number): void {
    this.#boots += 1;
    const bootId = `boot-${this.#boots}`;
    if (this.step === 'reverting') this.running = { ...this.#before, bootId };
    else {
      const slot = this.#before.slot === 'a' ? 'b' : 'a';
      this.running = { bootId, slot, bundleUuid: this.offer!.bundle.bundleUuid };
      this.#testingSinceMs = nowMs;
    }
  }

  renew(nowMs: number): void {
    this.serial += 1;
    this.issuedAtMs = nowMs;
  }

  installed(nowMs: number): void {
    this.#installedAtMs = nowMs;
  }

  says(state: UpdateState, nowMs: number): UpdateEvent {
    const { rolloutId, bundle } = this.offer!;
    const event: UpdateEvent = { rolloutId, bundleUuid: bundle.bundleUuid, state, attempt: 1 };
    if (state === 'committed' || state === 'rolled-back') return { ...event, ...this.#ended(state, nowMs) };
    const reason = this.behaviour.failure?.reason;
    if ((state === 'failed' || state === 'rejected') && reason !== undefined) {
      return { ...event, reason: { code: reason, message: 'as the model of the fleet says' } };
    }
    return event;
  }

  #ended(state: 'committed' | 'rolled-back', nowMs: number): Pick<UpdateEvent, 'evidence' | 'reason'> {
    const ok = state === 'committed';
    const evidence: Evidence = {
      before: this.#before,
      after: this.running,
      health: [{ name: 'simulated', ok, durationMs: nowMs - this.#testingSinceMs }],
      downloadedBytes: this.offer!.bundle.sizeBytes,
      installedAtMs: this.#installedAtMs,
      testingSinceMs: this.#testingSinceMs,
      decidedAtMs: nowMs,
    };
    if (ok) return { evidence };
    return {
      evidence,
      reason: { code: this.behaviour.failure?.reason ?? 'health-failed', message: 'as the model of the fleet says' },
    };
  }
}
