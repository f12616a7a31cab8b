/**
 * A rollout against a simple model: whatever operators and devices do in whatever order, no cap and no rate is exceeded,
 * a gate that is not passed opens no phase, a pause offers nothing, a device ends once, what is stored gives the same
 * rollout again, and so does its journal, and every sequence comes to an end when the devices fall silent and the operators say yes.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { RolloutAction } from '../../../src/client/contract/rollout-action.ts';
import type { RolloutOutcome } from '../../../src/client/contract/rollout-recording.ts';
import type { RolloutRequest } from '../../../src/client/contract/rollout.ts';
import type { Effect } from '../../../src/coordinator/effect.ts';
import { FactListener } from '../../../src/coordinator/rollout/fact-listener.ts';
import { factKey } from '../../../src/coordinator/rollout/known-fact.ts';
import { journalPlan, journalStep, planRow } from '../../../src/coordinator/rollout/rollout-journal.ts';
import { RolloutReplay } from '../../../src/coordinator/rollout/rollout-replay.ts';
import { reduceRollout, type RolloutInput } from '../../../src/coordinator/rollout/reduce-rollout.ts';
import { createRolloutState, type RolloutDocument } from '../../../src/coordinator/rollout/rollout-state.ts';
import { isInFlight, isOpen, type TargetDevice } from '../../../src/coordinator/rollout/target-device.ts';
import type { StepReport } from '../../../src/coordinator/rollout/step-report.ts';
import { tallyPhases } from '../../../src/coordinator/rollout/tally.ts';
import { updateStates } from '../../../src/protocol/event.ts';
import { evidence, ids, newUuid, oldUuid, RolloutBench } from '../../unit/coordinator/rollout-bench.ts';

const targets = ids(8);
const deviceId = fc.constantFrom(...targets);
const siteOf = (id: string) => (Number(id.slice(1)) % 3 === 0 ? 'hill' : 'harbour');
const minuteMs = 60_000;

const gate = fc.record(
  {
    success: fc.constantFrom(0.5, 0.75, 1),
    connected: fc.constantFrom(0.5, 1),
    lostConnections: fc.constant(2),
    failure: fc.constantFrom(0, 0.25, 0.5),
    minSample: fc.constantFrom(1, 2),
  },
  { requiredKeys: [] },
);
const phases = fc
  .tuple(fc.constantFrom('2', '3', '25%'), fc.constantFrom('2', '50%'), gate, gate, fc.boolean(), fc.nat(40))
  .map(([one, two, first, second, approved, soakSeconds]) => [
    { size: one, soakSeconds, gate: { ...first, ...(approved ? { approval: 'admin' as const } : {}) } },
    { size: two, gate: second },
    { size: 'rest' },
  ]);
const request: fc.Arbitrary<Partial<RolloutRequest>> = fc.record(
  {
    phases,
    maxFailures: fc.integer({ min: 1, max: 9 }),
    continuous: fc.constant(true),
    maxInFlight: fc.integer({ min: 1, max: 4 }),
    maxInFlightPer: fc.constant({ place: 'G@site', count: 1 }),
    perMinute: fc.integer({ min: 1, max: 4 }),
    ramp: fc.constant({ from: 1, factor: 2, successes: 1 }),
    retry: fc.record({
      perDevice: fc.integer({ min: 1, max: 2 }),
      perPhase: fc.integer({ min: 1, max: 4 }),
      backoffSeconds: fc.constantFrom(5, 90),
    }),
    windows: fc.constant({ offer: [{ cron: '0 */2 * * *', durationSeconds: 5400, zone: 'UTC' }] }),
    onFailure: fc.constantFrom('pause' as const, 'cancel-queued' as const, 'cancel-all' as const, {
      rollbackTo: 'meter/1.0.0',
    }),
  },
  { requiredKeys: ['phases', 'maxFailures'] },
);
const actions: readonly (RolloutAction | undefined)[] = [
  undefined,
  undefined,
  { kind: 'job', job: { kind: 'command', argv: ['true'] } },
  { kind: 'certificate' },
];
/** Of a release, or of an action that has nothing to return to. */
const asked = fc.tuple(request, fc.constantFrom(...actions)).map(([{ onFailure, ...rest }, action]) => ({
  ...rest,
  ...(action === undefined ? {} : { action }),
  ...(onFailure === undefined || (action !== undefined && typeof onFailure === 'object') ? {} : { onFailure }),
}));

/** What a device tells of an action, by what it would tell of an update. */
const stepStates: Partial<Record<(typeof updateStates)[number], StepReport['state']>> = {
  downloading: 'running',
  testing: 'running',
  committed: 'committed',
  failed: 'failed',
  'rolled-back': 'unknown',
  rejected: 'rejected',
  cancelled: 'cancelled',
};

type Step =
  | { kind: 'tell'; deviceId: string; state: (typeof updateStates)[number]; proven: boolean }
  | { kind: 'update' | 'roll-back' | 'remove' | 'hold' | 'occupy' | 'release'; deviceId: string }
  | { kind: 'presence'; deviceId: string; connected: boolean }
  | { kind: 'supersede' | 'join'; deviceId: string }
  | { kind: 'pause' | 'resume' | 'approve' | 'abort' | 'tick' | 'restart' };

const of = <K extends string>(...kinds: K[]) => fc.record({ kind: fc.constantFrom(...kinds), deviceId });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('tell' as const),
      deviceId,
      state: fc.constantFrom(...updateStates),
      proven: fc.boolean(),
    }),
  },
  { weight: 12, arbitrary: of('update') },
  { weight: 2, arbitrary: of('roll-back') },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('presence' as const), deviceId, connected: fc.boolean() }) },
  { weight: 1, arbitrary: of('remove', 'hold', 'occupy', 'release', 'supersede') },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('join' as const), deviceId: fc.constantFrom('d01', 'd90', 'd91') }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'restart' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('resume' as const, 'approve' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('abort' as const, 'tick', 'tick', 'tick', 'tick', 'tick') }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('tick' as const) }) },
);

/** How the clock moves before a step: mostly on, by jumps too, and sometimes back. */
const passing = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 90 * minuteMs }) },
  { weight: 1, arbitrary: fc.integer({ min: -30 * minuteMs, max: 0 }) },
);

export interface ModelRun {
  sequences: number;
  steps: number;
  offers: number;
  endings: Record<string, number>;
}

/** @throws what fast-check throws: the shortest sequence that breaks a rule, with its seed */
export function checkRolloutModel({ runs, seed }: { runs: number; seed: number }): ModelRun {
  const report: ModelRun = { sequences: 0, steps: 0, offers: 0, endings: {} };
  const sequences = fc.array(fc.tuple(passing, anyStep), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(asked, fc.subarray(targets, { maxLength: 3 }), sequences, (policy, away, steps) => {
      const checked = new CheckedRollout(policy, away);
      for (const [passedMs, each] of steps) checked.do(each, passedMs);
      const ending = checked.drain();
      report.sequences += 1;
      report.steps += steps.length;
      report.offers += checked.offers;
      report.endings[ending] = (report.endings[ending] ?? 0) + 1;
    }),
    { numRuns: runs, seed },
  );
  return report;
}

class CheckedRollout {
  readonly #bench: RolloutBench;
  /** By a clock that is never set back. */
  readonly #offers: { atMs: number; deviceId: string }[] = [];
  #steadyMs = 0;
  #feeds = 0;
  readonly #ended = new Map<string, string>();
  /** Goes through what the journal has. */
  readonly #replay: RolloutReplay;
  readonly #known = new Map<string, unknown>();
  /** What the store has. */
  readonly #rows = new Map<number, string>();
  #document: string;
  /** Phases whose failures an operator has accepted. */
  readonly #excused = new Set<number>();

  constructor(policy: Partial<RolloutRequest>, away: readonly string[]) {
    // From 10:00 on: the windows are open in even hours and half of the odd ones.
    this.#bench = new RolloutBench(targets, { deadlineSeconds: 3_600, ...policy }, [...away], undefined, (id) => ({
      site: siteOf(id),
    }));
    for (const [position, device] of [...this.#bench.state.devices].entries())
      this.#rows.set(position, JSON.stringify(device));
    this.#document = JSON.stringify(this.#bench.state.document);
    const plan = journalPlan(this.#bench.state);
    this.#replay = new RolloutReplay(planRow(plain(plan) as typeof plan, [...this.#bench.state.devices]));
    this.#feed({ kind: 'open' });
  }

  get offers(): number {
    return this.#offers.length;
  }

  do(step: Step, passedMs: number): void {
    const bench = this.#bench;
    bench.nowMs = Math.max(0, bench.nowMs + passedMs);
    this.#steadyMs += Math.max(0, passedMs);
    switch (step.kind) {
      case 'tell': {
        if (bench.state.document.action !== undefined) return this.#report(step);
        const running = bench.world.get(step.deviceId)?.running;
        const before = { bootId: `${step.deviceId}-boot-1`, slot: 'a' };
        const shown = step.proven && running !== undefined ? { evidence: evidence(before, running) } : {};
        return this.#tell(step.deviceId, step.state, shown);
      }
      case 'update':
        return bench.state.document.action === undefined ? this.#update(step.deviceId) : this.#work(step.deviceId);
      case 'roll-back':
        if (bench.state.document.action !== undefined)
          return this.#reportStep(step.deviceId, { state: 'failed', again: true });
        for (const state of ['offered', 'downloading', 'installing', 'rolled-back'] as const)
          this.#tell(step.deviceId, state, {});
        return;
      case 'presence': {
        const device = bench.world.get(step.deviceId);
        if (device === undefined) return;
        device.connected = step.connected;
        device.sinceMs = bench.nowMs;
        return this.#feed({ kind: 'presence', deviceId: step.deviceId });
      }
      case 'remove':
        bench.world.delete(step.deviceId);
        return this.#feed({ kind: 'removed', deviceId: step.deviceId });
      case 'hold': {
        const device = bench.world.get(step.deviceId);
        if (device !== undefined) device.tags['update-hold'] = 'x';
        return this.#feed({ kind: 'presence', deviceId: step.deviceId });
      }
      case 'occupy':
        return void bench.holders.set(step.deviceId, 'r0');
      case 'release':
        bench.holders.delete(step.deviceId);
        return this.#feed({ kind: 'presence', deviceId: step.deviceId });
      case 'join': {
        const { maxInFlightPer } = bench.state.document.policy;
        const device = bench.world.get(step.deviceId) ?? {
          connected: true,
          running: { bootId: `${step.deviceId}-boot-1`, slot: 'a', bundleUuid: oldUuid },
          quarantinedBundles: [],
          sinceMs: bench.nowMs,
          grains: {},
          tags: {},
        };
        if (!bench.state.index.has(step.deviceId)) bench.world.set(step.deviceId, device);
        const group = maxInFlightPer === undefined ? {} : { group: siteOf(step.deviceId) };
        return this.#feed({ kind: 'join', devices: [{ deviceId: step.deviceId, ...group }] });
      }
      case 'supersede':
        return this.#feed({ kind: 'supersede', deviceIds: [step.deviceId], by: 'r2' });
      case 'pause':
      case 'abort':
        return this.#feed({ kind: step.kind, reason: step.kind });
      case 'approve':
        return this.#feed({ kind: 'approve', by: 'operator:anna' });
      case 'resume':
        return this.#feed({ kind: 'resume' });
      case 'tick':
        return this.#feed({ kind: 'tick' });
      case 'restart':
        return this.#restart();
    }
  }

  /** Everybody is there and says nothing; operators say yes to everything. How it ended. */
  drain(): string {
    const bench = this.#bench;
    bench.holders.clear();
    for (const [id, device] of bench.world) {
      device.connected = true;
      this.#feed({ kind: 'presence', deviceId: id });
    }
    for (let tries = 0; tries < 400; tries += 1) {
      const { state, phases: all, currentPhase } = bench.state.document;
      const open = [...bench.state.devices].some((device) => isOpen(device.state));
      if (!open && (state === 'completed' || state === 'aborted')) return state;
      const isLast = currentPhase === all.length - 1 && all[currentPhase]!.state === 'running';
      if (!open && isLast && state === 'running' && bench.state.document.policy.continuous === true) return 'goes on';
      if (state === 'paused' || state === 'halted') this.#feed({ kind: 'resume' });
      else if (all[currentPhase]?.state === 'approval') this.#feed({ kind: 'approve', by: 'operator:anna' });
      bench.nowMs += 20 * minuteMs;
      this.#steadyMs += 20 * minuteMs;
      // A job ends by itself, and says so.
      if (bench.state.document.action?.kind === 'job')
        for (const { deviceId: id, state: at } of bench.state.devices)
          if (isInFlight(at)) this.#reportStep(id, { state: 'unknown' });
      this.#feed({ kind: 'tick' });
    }
    throw new Error(`it is stuck: ${JSON.stringify(bench.state.document)} ${JSON.stringify([...bench.state.devices])}`);
  }

  #tell(id: string, state: (typeof updateStates)[number], over: object): void {
    const event = { rolloutId: 'r1', bundleUuid: newUuid, state, attempt: 1, ...over };
    this.#feed({ kind: 'update', deviceId: id, event });
  }

  #update(id: string): void {
    const device = this.#bench.world.get(id);
    if (device === undefined) return;
    const before = device.running;
    for (const state of ['offered', 'downloading', 'verified', 'installing', 'rebooting'] as const)
      this.#tell(id, state, {});
    device.running = { bootId: `${id}-boot-2`, slot: 'b', bundleUuid: newUuid };
    this.#feed({ kind: 'presence', deviceId: id });
    this.#tell(id, 'committed', { evidence: evidence(before, device.running) });
  }

  #report({ deviceId: id, state, proven }: Extract<Step, { kind: 'tell' }>): void {
    const told = stepStates[state];
    const attempts = this.#bench.state.index.has(id) ? this.#bench.device(id).attempts : 0;
    // A certificate is proven by a session alone: see #work.
    if (told === undefined || (told === 'committed' && this.#bench.state.document.action?.kind === 'certificate'))
      return;
    this.#feed({ kind: 'step', deviceId: id, report: { attempt: proven ? attempts : attempts - 1, state: told } });
  }

  #reportStep(id: string, report: StepReport): void {
    this.#feed({ kind: 'step', deviceId: id, report });
  }

  /** Does what it is asked, if it is. */
  #work(id: string): void {
    const bench = this.#bench;
    if (bench.world.get(id) === undefined) return;
    this.#reportStep(id, { state: 'running' });
    if (bench.state.document.action?.kind === 'job') return this.#reportStep(id, { state: 'committed' });
    const serial = `${id}-${bench.nowMs}`;
    bench.certificates.set(id, { serial, issuedAtMs: bench.nowMs, connectedAtMs: bench.nowMs });
    this.#feed({ kind: 'presence', deviceId: id });
  }

  /** The process ends and another one begins with what is stored: nobody is connected to it, then they come back. */
  #restart(): void {
    const bench = this.#bench;
    bench.state = this.#stored();
    this.#known.clear();
    const online = [...bench.world].filter(([, { connected }]) => connected);
    for (const [, device] of online) device.connected = false;
    this.#feed({ kind: 'open', loaded: true });
    for (const [deviceIdOf, device] of online) {
      device.connected = true;
      device.sinceMs = bench.nowMs;
      this.#feed({ kind: 'presence', deviceId: deviceIdOf });
    }
  }

  #stored() {
    const rows = [...this.#rows].toSorted(([a], [b]) => a - b).map(([, row]) => JSON.parse(row) as TargetDevice);
    return createRolloutState(JSON.parse(this.#document) as RolloutDocument, rows);
  }

  #feed(input: RolloutInput): void {
    const bench = this.#bench;
    const before = bench.state;
    const heard = new FactListener(bench.facts, before, this.#known);
    const effects = bench.feed(input, bench.nowMs, heard.facts);
    const row = journalStep(before, bench.state, input, { heard, nowMs: bench.nowMs });
    if (row !== undefined) {
      for (const fact of row.facts ?? []) this.#known.set(factKey(fact), fact[2]);
      this.#replay.step(plain(row) as typeof row);
    }
    for (const effect of effects)
      if (effect.kind === 'member') this.#rows.set(effect.member.position, JSON.stringify(effect.member.document));
    this.#document = JSON.stringify(bench.state.document);
    const offered = offersOf(effects);
    for (const id of offered) this.#offers.push({ atMs: this.#steadyMs, deviceId: id });
    if (input.kind === 'resume' && before.document.state === 'halted')
      for (let phase = 0; phase <= before.document.currentPhase; phase += 1) this.#excused.add(phase);
    this.#requireOffers(before, input, offered);
    this.#requireGates(before);
    this.#requireOneEnd();
    this.#requireCounts();
    this.#feeds += 1;
    if (this.#feeds % 8 === 0) this.#requireStored();
  }

  #requireOffers(before: RolloutBench['state'], input: RolloutInput, offered: readonly string[]): void {
    if (offered.length === 0) return;
    const { document, devices } = this.#bench.state;
    const { policy } = document;
    require(before.document.state === 'running' || input.kind === 'resume', `offered while ${before.document.state}`);
    const flying = [...devices].filter(({ state }) => isInFlight(state));
    require(flying.length <= policy.maxInFlight, `${flying.length} in flight`);
    if (policy.maxInFlightPer !== undefined) {
      for (const id of offered) {
        const same = flying.filter((device) => siteOf(device.deviceId) === siteOf(id)).length;
        require(same <= policy.maxInFlightPer.count, `${same} in flight of ${siteOf(id)}`);
      }
    }
    const lately = this.#offers.filter(({ atMs }) => this.#steadyMs - atMs < minuteMs).length;
    const proven = [...devices].filter(({ state }) => state === 'committed').length;
    const grown = policy.ramp === undefined ? Infinity : policy.ramp.from * policy.ramp.factor ** proven;
    const limit = Math.min(policy.perMinute ?? Infinity, grown);
    require(lately <= limit, `${lately} offers in a minute, of at most ${limit}`);
    if (policy.windows !== undefined) {
      const minute = (this.#bench.nowMs / minuteMs) % 120;
      require(minute < 90, `offered at minute ${minute} of two hours`);
    }
    for (const id of offered) {
      const world = this.#bench.world.get(id);
      require(world?.connected === true && world.tags['update-hold'] === undefined, `${id} was offered`);
      require(world.running.bundleUuid !== newUuid, `${id} runs it already`);
      require(!this.#bench.holders.has(id), `${id} is another's`);
    }
  }

  /** A phase that is over, though nobody has excused it, has what its gate asks for. */
  #requireGates(before: RolloutBench['state']): void {
    const { document, devices } = this.#bench.state;
    for (let phase = before.document.currentPhase; phase < document.currentPhase; phase += 1) {
      const own = [...devices].filter((device) => device.phase === phase);
      const ended = own.filter(({ state, attempts }) => attempts > 0 && !isOpen(state) && state !== 'cancelled');
      const proven = ended.filter(({ state }) => state === 'committed').length;
      const failed = ended.filter(({ state }) =>
        ['failed', 'rolled-back', 'timed-out', 'unknown'].includes(state),
      ).length;
      const { gate: wanted = {}, approvedBy } = document.phases[phase]!;
      if (this.#excused.has(phase)) continue;
      require(!own.some(({ state }) => isInFlight(state)), `phase ${phase} has devices in flight`);
      require(wanted.approval === undefined || approvedBy !== undefined, `phase ${phase} was not approved`);
      if (ended.length === 0) continue;
      require(wanted.success === undefined ||
        proven / ended.length >= wanted.success, `phase ${phase}: too few proven`);
      if (wanted.failure !== undefined && ended.length >= (wanted.minSample ?? 1))
        require(failed / ended.length <= wanted.failure, `phase ${phase}: too many failed`);
      require(ended.length >= (wanted.minSample ?? 1), `phase ${phase}: too few ended`);
    }
  }

  #requireOneEnd(): void {
    for (const { deviceId: id, state } of this.#bench.state.devices) {
      const before = this.#ended.get(id);
      require(before === undefined || before === state, `${id} was ${before} and is ${state}`);
      if (!isOpen(state)) this.#ended.set(id, state);
    }
  }

  #requireCounts(): void {
    const { document, devices, tallies, reachable, inFlight, queues } = this.#bench.state;
    const counts: Record<string, number> = {};
    for (const { state } of devices) counts[state] = (counts[state] ?? 0) + 1;
    require(isDeepStrictEqual(document.counts, counts), 'the counts are wrong');
    require(isDeepStrictEqual(tallies, tallyPhases(devices, document.phases.length)), 'the tallies are wrong');
    const flying = [...devices].filter(({ state }) => isInFlight(state));
    for (const [group, number] of queues.groups) {
      const own = flying.filter((device) => (device.group ?? '') === group).length;
      require(inFlight[number] === own, `${inFlight[number]} in flight of ${group}`);
    }
    for (const [phase, count] of reachable.entries()) {
      const own = [...devices].filter(
        ({ phase: at, state, deviceId: id }) =>
          at === phase && state === 'queued' && this.#bench.world.get(id)?.connected === true,
      );
      require(own.length === count, `${count} of phase ${phase} can be reached, and it is ${own.length}`);
    }
  }

  /** What is stored is the state; and a process that begins with it does what this one would do. */
  #requireStored(): void {
    const { state, facts, nowMs } = this.#bench;
    const stored = this.#stored();
    require(isDeepStrictEqual(plain(stored.document), plain(state.document)), 'the stored document differs');
    require(isDeepStrictEqual(plain([...stored.devices]), plain([...state.devices])), 'the stored devices differ');
    const outcome = { kind: 'outcome', document: state.document, devices: [...state.devices] } as const;
    const [other] = this.#replay.differences(plain(outcome) as RolloutOutcome);
    require(other === undefined, `a replay differs: ${other}`);
    const here = reduceRollout(state, { kind: 'open', loaded: true }, facts, nowMs);
    const there = reduceRollout(stored, { kind: 'open', loaded: true }, facts, nowMs);
    require(isDeepStrictEqual(plain(here.state.document), plain(there.state.document)), 'a restart differs');
    require(isDeepStrictEqual(
      plain(offersOf(here.effects)),
      plain(offersOf(there.effects)),
    ), 'a restart offers others');
  }
}

function offersOf(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) =>
    effect.kind === 'run-step' || (effect.kind === 'request' && effect.request.type === 'update.offer')
      ? [effect.deviceId]
      : [],
  );
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function require(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
