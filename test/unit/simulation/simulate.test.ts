import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RolloutAction } from '../../../src/client/contract/index.ts';
import { EventQueue } from '../../../src/simulation/event-queue.ts';
import {
  createFleet,
  failureEnds,
  fixed,
  judgeTrial,
  simulatePolicy,
  type Expectation,
  type FleetModel,
  type PolicyTrial,
  type Trial,
} from '../../../src/simulation/index.ts';

const startMs = Date.parse('2026-01-05T00:00:00Z');
const timers = {
  offered: 300,
  downloading: 3_600,
  verified: 600,
  installing: 600,
  rebooting: 900,
  testing: 900,
  running: 600,
};
const hourMs = 3_600_000;

function fleetOf(count: number) {
  return createFleet([], [{ count, id: 'gw-{n}', grains: { site: 's{n%4}' }, tags: { ring: 'r{n%10}' } }], {
    nowMs: startMs,
  });
}

function trialOf(
  request: Partial<PolicyTrial['request']> = {},
  model: FleetModel = {},
  { count = 60, seed = 1 }: { count?: number; seed?: number } = {},
): Trial {
  return simulatePolicy({
    request: { ...(request.action === undefined ? { release: 'meter/2.0.0/stable' } : {}), selector: '*', ...request },
    fleet: fleetOf(count),
    model,
    timers,
    seed,
    startMs,
    limitSeconds: 7 * 86_400,
    bundleBytes: 1_000_000,
  });
}

const job: RolloutAction = { kind: 'job', job: { kind: 'command', argv: ['true'] }, timeoutSeconds: 60 };
const settings: RolloutAction = { kind: 'config', name: 'app', document: {} };
const certificate: RolloutAction = { kind: 'certificate' };
const agent: RolloutAction = { kind: 'agent-update', release: 'flotilla-agent/2.0.0' };

/** Failures stop nothing. */
const patient = { maxFailures: 1_000, maxFailureShare: 1 };

describe('a simulated rollout', () => {
  it('brings a good release to everybody, phase after phase, within the limits', () => {
    const trial = trialOf({ phases: [{ size: '2', soakSeconds: 600 }, { size: 'rest' }], maxInFlight: 7 });
    expect(trial).toMatchObject({ ending: 'completed', peakInFlight: 7, phasePeaks: [2, 7] });
    expect(trial.report.rollout.counts).toEqual({ committed: 60 });
    const [first, second] = trial.report.phases;
    const waitedMs = second!.startedAtMs! - first!.startedAtMs!;
    expect(waitedMs).toBeGreaterThanOrEqual(600_000);
    expect(second!.startedAtMs).toBe(first!.endedAtMs);
  });

  it('halts at the first phase when the release is bad, and touches nobody else', () => {
    const trial = trialOf({ phases: [{ size: '3' }, { size: 'rest' }] }, { failures: [{}] });
    expect(trial).toMatchObject({ ending: 'halted', report: { touched: 3 } });
    expect(trial.report.rollout.reason).toContain('the limit is 1');
    expect(trial.report.rollout.counts).toMatchObject({ waiting: 57 });
  });

  it.each([
    ['rolled-back', 'rolled-back', 'health-failed'],
    ['failed', 'failed', 'install-failed'],
    ['rejected', 'rejected', 'refused-by-device'],
    ['silent', 'timed-out', 'timed-out-rebooting'],
  ] as const)('ends a device that is to end as %s as %s', (as, state, code) => {
    const trial = trialOf(patient, { failures: [{ devices: 'I@ring:r3', as }] });
    expect(trial.ending).toBe('completed');
    expect(trial.report.rollout.counts).toEqual({ committed: 54, [state]: 6 });
    expect(trial.report.causes).toMatchObject([{ state, code, count: 6 }]);
    expect(trial.report.causes[0]!.devices).toEqual(['gw-03', 'gw-13', 'gw-23', 'gw-33', 'gw-43', 'gw-53']);
  });

  it('waits for those that are away, and no longer than the deadline', () => {
    const deadlineSeconds = 6 * 3_600;
    const model: FleetModel = {
      offline: [{ devices: 'I@ring:r1', for: fixed(5 * hourMs) }, { devices: 'I@ring:r2' }],
    };
    const trial = trialOf({ deadlineSeconds }, model);
    expect(trial.report.rollout.counts).toEqual({ committed: 54, 'timed-out': 6 });
    expect(trial.durationSeconds).toBeGreaterThanOrEqual(deadlineSeconds);
    expect(trial.durationSeconds).toBeLessThan(deadlineSeconds + 3_600);
  });

  it('brings a device through on a link that comes and goes', () => {
    const model: FleetModel = {
      flapping: [{ up: fixed(40_000), down: fixed(20_000) }],
      takes: { download: fixed(180_000) },
    };
    const trial = trialOf(patient, model, { count: 10 });
    expect(trial.report.rollout.counts).toEqual({ committed: 10 });
    // Three minutes of download on a link that is there two thirds of the time.
    expect(trial.report.durations['downloading']!.p50Ms).toBeGreaterThan(230_000);
  });

  it('says that it is not done when time is up', () => {
    const trial = simulatePolicy({
      request: { release: 'meter/2.0.0/stable', selector: '*' },
      fleet: fleetOf(10),
      model: { offline: [{}] },
      timers,
      seed: 1,
      startMs,
      limitSeconds: 60,
      bundleBytes: 1,
    });
    expect(trial.ending).toBe('unfinished');
  });

  it('refuses a model that means nobody, and a policy that does', () => {
    expect(() => trialOf({}, { failures: [{ devices: 'G@site:nowhere' }] })).toThrow(/matches no device/);
    expect(() => trialOf({ selector: 'G@site:nowhere' })).toThrow(/matches no device/);
    expect(() => trialOf({}, { offline: [{ devices: 'G@' }] })).toThrow();
  });

  it('has the same course for the same seed, ends everybody once, and keeps to its limits, whatever goes wrong', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.record({
          count: fc.integer({ min: 1, max: 40 }),
          seed: fc.nat(1_000),
          maxInFlight: fc.integer({ min: 1, max: 9 }),
          maxFailures: fc.integer({ min: 1, max: 40 }),
          action: fc.constantFrom(undefined, job, settings, certificate, agent),
          failures: fc.array(fc.record({ share, as: fc.constantFrom(...failureEnds) }), { maxLength: 3 }),
          offline: fc.array(fc.record({ share, for: fc.integer({ min: 0, max: 30 * hourMs }).map(fixed) }), {
            maxLength: 1,
          }),
          flapping: fc.array(fc.record({ share }), { maxLength: 1 }),
          deferring: fc.array(fc.record({ share, for: fc.integer({ min: 0, max: hourMs }).map(fixed) }), {
            maxLength: 1,
          }),
        }),
        ({ count, seed, maxInFlight, maxFailures, action, ...model }) => {
          const limits = { maxInFlight, maxFailures, maxFailureShare: 1 };
          const request = action === undefined ? limits : { ...limits, action };
          const run = () => trialOf(request, model, { count, seed });
          const trial = run();
          expect(run()).toEqual(trial);
          expect(trial.peakInFlight).toBeLessThanOrEqual(maxInFlight);
          const { counts } = trial.report.rollout;
          expect(Object.values(counts).reduce((sum, each) => sum + each, 0)).toBe(count);
          expect(trial.ending).not.toBe('unfinished');
          if (trial.ending !== 'completed') return;
          const open = [
            'waiting',
            'queued',
            'offered',
            'downloading',
            'verified',
            'installing',
            'rebooting',
            'testing',
            'running',
          ];
          for (const state of open) expect(counts[state]).toBeUndefined();
        },
      ),
      { numRuns: 60, seed: 11 },
    );
  });
});

describe('a simulated action that brings no release', () => {
  it.each([job, settings, certificate, agent])('$kind: comes to everybody, phase after phase', (action) => {
    const trial = trialOf({ action, phases: [{ size: '2', soakSeconds: 600 }, { size: 'rest' }], maxInFlight: 7 });
    expect(trial).toMatchObject({ ending: 'completed', peakInFlight: 7, phasePeaks: [2, 7] });
    expect(trial.report.rollout).toMatchObject({ action, counts: { committed: 60 } });
    expect(trial.report.durations).toHaveProperty('running');
    expect(trial.report.durations).not.toHaveProperty('rebooting');
  });

  it.each([
    [job, 'failed', { failed: 6 }],
    [job, 'rejected', { rejected: 6 }],
    [job, 'silent', { 'timed-out': 6 }],
    [settings, 'failed', { failed: 6 }],
    [certificate, 'failed', { failed: 6 }],
    [certificate, 'silent', { 'timed-out': 6 }],
    [agent, 'failed', { failed: 6 }],
    [agent, 'silent', { 'timed-out': 6 }],
  ] as const)('%j that is to end as %s', (action, as, counts) => {
    const trial = trialOf({ ...patient, action }, { failures: [{ devices: 'I@ring:r3', as }] });
    expect(trial.report.rollout).toMatchObject({ state: 'completed', counts: { committed: 54, ...counts } });
  });

  it('spends the retries of a job on what is known to have failed, and on nothing else', () => {
    const retry = { perDevice: 2, perPhase: 100, backoffSeconds: 10 };
    const failed = trialOf({ ...patient, action: job, retry }, { failures: [{ devices: 'I@ring:r3' }] });
    expect(failed.report.devices.filter(({ state }) => state === 'failed').map(({ attempts }) => attempts)).toEqual(
      Array.from({ length: 6 }, () => 3),
    );
    const silent = trialOf({ ...patient, action: job, retry }, { failures: [{ devices: 'I@ring:r3', as: 'silent' }] });
    expect(silent.report.devices.map(({ attempts }) => attempts)).toEqual(Array.from({ length: 60 }, () => 1));
  });

  it('ends as unknown on a device that goes away with it for good', () => {
    const model: FleetModel = { flapping: [{ up: fixed(1_500), down: fixed(1e12) }], takes: { run: fixed(5_000) } };
    const request = { ...patient, action: job, deadlineSeconds: 3_600, phases: [{ size: 'rest' }] };
    const trial = trialOf(request, model, { count: 5 });
    expect(trial.report.rollout.counts).toEqual({ unknown: 5 });
  });
});

describe('the queue of what is due', () => {
  it('gives the earliest, and of one moment the first that came', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (times) => {
        const queue = new EventQueue<number>();
        for (const [order, atMs] of times.entries()) queue.put(atMs, order);
        const taken = times.map(() => queue.take()!);
        expect(queue.take()).toBeUndefined();
        const expected = times
          .map((atMs, item) => ({ atMs, item }))
          .toSorted((a, b) => a.atMs - b.atMs || a.item - b.item);
        expect(taken.map(({ atMs, item }) => ({ atMs, item }))).toEqual(expected);
      }),
      { seed: 5 },
    );
  });
});

describe('an expectation', () => {
  const trial = trialOf({ phases: [{ size: '3' }, { size: 'rest' }] }, { failures: [{}] });
  const halted: Expectation = {
    outcome: 'halted',
    haltsInPhase: 1,
    reason: 'the limit is 1',
    touched: { max: 3 },
    failed: { min: 1, max: 3 },
    succeeded: { min: 0, max: 0 },
    inFlight: { max: 3 },
    seconds: { max: 3_600 },
    counts: { waiting: 57, committed: 0 },
    causes: ['health-failed'],
  };

  it('is met by what came of it', () => {
    expect(judgeTrial(halted, trial)).toEqual([]);
    expect(judgeTrial({}, trial)).toEqual([]);
  });

  it.each<[keyof Expectation, Expectation, string]>([
    ['outcome', { outcome: 'completed' }, 'halted: '],
    ['haltsInPhase', { haltsInPhase: 2 }, 'halted in phase 1'],
    ['reason', { reason: 'lunch' }, 'the limit is 1'],
    ['touched', { touched: { max: 2 } }, '3'],
    ['touched', { touched: { min: 4 } }, '3'],
    ['failed', { failed: { max: 0 } }, String(trial.report.failed)],
    ['inFlight', { inFlight: { max: 1 } }, '3'],
    ['seconds', { seconds: { max: 10 } }, String(trial.durationSeconds)],
    ['causes', { causes: ['silent'] }, 'health-failed'],
  ])('of %s says what was seen: %j', (what, expectation, seen) => {
    const misses = judgeTrial({ ...halted, ...expectation }, trial);
    expect(misses.map((miss) => miss.what)).toEqual([what]);
    expect(misses[0]!.seen).toContain(seen);
  });

  it('of counts names the state', () => {
    expect(judgeTrial({ counts: { waiting: 1 } }, trial)).toEqual([
      { what: 'counts.waiting', expected: '1', seen: '57' },
    ]);
  });
});
