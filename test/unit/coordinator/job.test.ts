import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJobState, graceMs, type JobDevice, type JobState } from '../../../src/coordinator/job/job-state.ts';
import { planJob } from '../../../src/coordinator/job/plan-job.ts';
import type { JobFacts, JobInput } from '../../../src/coordinator/job/job-input.ts';
import { reduceJob } from '../../../src/coordinator/job/reduce-job.ts';
import type { Effect } from '../../../src/coordinator/effect.ts';
import type { JobRequest } from '../../../src/client/contract/job.ts';
import { jobOutcomes, type JobEvent } from '../../../src/protocol/event.ts';

const policy = { defaultTimeoutSeconds: 10, defaultExpiresSeconds: 100, confirmAboveShare: 0.5 };
const plan = (matched: string[], request: Partial<JobRequest> = {}, fleetSize = matched.length) =>
  planJob({ selector: '*', action: { kind: 'command', argv: ['true'] }, ...request }, matched, {
    id: 'j1',
    policy,
    fleetSize,
    submittedBy: 'local:0',
    nowMs: 0,
    random: () => 0.5,
  });
const ids = (count: number) => Array.from({ length: count }, (_, index) => `d${index}`);
const done = (outcome: JobEvent['outcome'], over: Partial<JobEvent> = {}): JobEvent => ({
  jobId: 'j1',
  state: 'finished',
  ...(outcome === undefined ? {} : { outcome }),
  ...over,
});

/** Feeds a job and remembers what it wanted. */
class Bench {
  job: JobState;
  effects: Effect[] = [];
  readonly online: Set<string>;
  /** Of which the coordinator knows that their agent does not take `job.run`. */
  readonly old = new Set<string>();
  readonly facts: JobFacts = {
    connected: (id) => this.online.has(id),
    takesRun: (id) => !this.old.has(id),
    takesFollow: () => true,
    takesConfig: (id) => !this.old.has(id),
    value: () => undefined,
  };
  nowMs = 0;

  constructor(job: JobState, online: string[]) {
    this.job = job;
    this.online = new Set(online);
    this.feed({ kind: 'open' });
  }

  feed(input: JobInput, nowMs = this.nowMs): Effect[] {
    this.nowMs = nowMs;
    const { state, effects } = reduceJob(this.job, input, this.facts, nowMs);
    this.job = state;
    this.effects.push(...effects);
    return effects;
  }

  device(id: string): JobDevice {
    return this.job.devices.at(this.job.index.get(id)!);
  }

  requested(type: string): string[] {
    return this.effects.flatMap((effect) =>
      effect.kind === 'request' && effect.request.type === type ? [effect.deviceId] : [],
    );
  }

  /** Sent, confirmed and started. */
  run(id: string): void {
    this.feed({ kind: 'sent', deviceId: id });
    this.feed({ kind: 'delivered', deviceId: id });
    this.feed({ kind: 'result', deviceId: id, event: { jobId: 'j1', state: 'started' } });
  }
}

describe('planning a job', () => {
  it('refuses an empty match, too many, and a number that is not the one confirmed', () => {
    expect(() => plan([])).toThrow(expect.objectContaining({ fault: 'none-matched' }));
    expect(() => plan(ids(3), { max: 2 })).toThrow(expect.objectContaining({ code: 'job-above-max' }));
    expect(() => plan(ids(3), { expect: 4 })).toThrow(expect.objectContaining({ code: 'job-count-changed' }));
  });

  it('asks for a confirmation above the share of the fleet, but never for a handful', () => {
    expect(plan(ids(10), {}, 10).document.matched).toBe(10);
    expect(() => plan(ids(11), {}, 11)).toThrow(
      expect.objectContaining({ code: 'confirmation-needed', fault: 'refused' }),
    );
    expect(plan(ids(11), { expect: 11 }, 11).document.matched).toBe(11);
    expect(plan(ids(11), {}, 22).document.matched).toBe(11);
    expect(plan(ids(500), { subset: 5 }, 500).document.matched).toBe(5);
  });

  it('draws a subset once, without repetitions', () => {
    const job = plan(ids(50), { subset: 7 }, 500);
    expect(new Set(job.index.keys()).size).toBe(7);
  });
});

describe('a job', () => {
  it('queues everybody at once, also who is away', () => {
    const bench = new Bench(plan(ids(3)), ['d0']);
    expect(bench.requested('job.start')).toEqual(['d0', 'd1', 'd2']);
    expect(bench.job.document.counts).toEqual({ queued: 3 });
  });

  it('starts a large number in parts: each asks for the next one, and nothing else begins it', () => {
    const everybody = ids(600);
    const bench = new Bench(plan(everybody, { expect: 600 }), everybody);
    const asks = (effects: readonly Effect[]): number => effects.filter(({ kind }) => kind === 'more').length;
    expect(bench.requested('job.start')).toEqual(everybody.slice(0, 256));
    expect(asks(bench.effects)).toBe(1);
    bench.run('d0');
    bench.feed({ kind: 'result', deviceId: 'd0', event: done('succeeded') });
    bench.feed({ kind: 'connected', deviceId: 'd599' });
    expect(bench.requested('job.start')).toHaveLength(256);
    expect(asks(bench.feed({ kind: 'more' }))).toBe(1);
    expect(bench.requested('job.start')).toEqual(everybody.slice(0, 512));
    expect(asks(bench.feed({ kind: 'more' }))).toBe(0);
    expect(bench.requested('job.start')).toEqual(everybody);
    expect(bench.job.document.counts).toEqual({ succeeded: 1, queued: 599 });
    expect(bench.feed({ kind: 'more' })).toEqual([]);
  });

  it('makes up for a part that never came: at the next tick, and in the next process', () => {
    const everybody = ids(600);
    const bench = new Bench(plan(everybody, { expect: 600 }), everybody);
    bench.feed({ kind: 'tick' });
    expect(bench.requested('job.start')).toEqual(everybody.slice(0, 512));
    const loaded = new Bench(createJobState(bench.job.document, [...bench.job.devices]), everybody);
    expect(loaded.requested('job.start')).toEqual(everybody.slice(512));
  });

  it('ends between two parts: what had not begun is cancelled, and nothing more begins', () => {
    const everybody = ids(300);
    const bench = new Bench(plan(everybody, { expect: 300 }), everybody);
    for (const id of everybody.slice(0, 256)) bench.feed({ kind: 'sent', deviceId: id });
    bench.feed({ kind: 'cancel', reason: 'enough' });
    expect(bench.job.document.counts).toEqual({ queued: 256, cancelled: 44 });
    bench.feed({ kind: 'more' });
    expect(bench.requested('job.start')).toHaveLength(256);
    for (const id of everybody.slice(0, 256)) bench.feed({ kind: 'result', deviceId: id, event: done('cancelled') });
    expect(bench.job.document).toMatchObject({ state: 'finished', counts: { cancelled: 300 } });
  });

  it('slides its window over connected devices, so that one that is away holds nobody up', () => {
    const bench = new Bench(plan(ids(6), { batch: '2' }, 20), ['d1', 'd2', 'd3', 'd5']);
    expect(bench.requested('job.start')).toEqual(['d1', 'd2']);
    bench.run('d1');
    bench.feed({ kind: 'result', deviceId: 'd1', event: done('succeeded') });
    expect(bench.requested('job.start')).toEqual(['d1', 'd2', 'd3']);
    bench.online.add('d0');
    bench.feed({ kind: 'connected', deviceId: 'd0' });
    expect(bench.requested('job.start')).toHaveLength(3); // no room
    bench.online.delete('d2');
    bench.feed({ kind: 'disconnected', deviceId: 'd2' });
    expect(bench.requested('job.start')).toEqual(['d1', 'd2', 'd3', 'd0']);
  });

  it('stops after its failures: the rest is cancelled, what runs runs on', () => {
    const bench = new Bench(plan(ids(5), { batch: '2', maxFailures: 1 }, 20), ids(5));
    bench.run('d0');
    bench.run('d1');
    bench.feed({ kind: 'result', deviceId: 'd0', event: done('failed', { exitCode: 1 }) });
    expect(bench.job.document.counts).toEqual({ failed: 1, started: 1, cancelled: 3 });
    bench.feed({ kind: 'result', deviceId: 'd1', event: done('succeeded') });
    expect(bench.job.document.state).toBe('finished');
  });

  it('ends as timed-out a device that is connected and silent, and tells it to stop; the others are long done', () => {
    const bench = new Bench(plan(ids(2), { timeoutSeconds: 3 }), ids(2));
    bench.run('d0');
    bench.feed({ kind: 'result', deviceId: 'd0', event: done('succeeded') });
    bench.feed({ kind: 'sent', deviceId: 'd1' });
    bench.feed({ kind: 'tick' }, 3000 + graceMs - 1);
    expect(bench.job.document.state).toBe('running');
    bench.feed({ kind: 'tick' }, 3000 + graceMs);
    expect(bench.device('d1').outcome).toBe('timed-out');
    expect(bench.requested('job.cancel')).toEqual(['d1']);
    expect(bench.job.document.state).toBe('finished');
  });

  it('calls it expired when the device never came, and unknown when it may have run', () => {
    const bench = new Bench(plan(ids(3)), ['d1', 'd2']);
    bench.feed({ kind: 'sent', deviceId: 'd1' });
    bench.online.delete('d1');
    bench.feed({ kind: 'disconnected', deviceId: 'd1' });
    bench.run('d2');
    bench.online.delete('d2');
    bench.feed({ kind: 'disconnected', deviceId: 'd2' });
    bench.feed({ kind: 'tick' }, 10_000 + graceMs);
    expect(bench.device('d2').outcome).toBe('unknown'); // it had started
    bench.feed({ kind: 'tick' }, 100_000);
    expect(bench.device('d0').outcome).toBe('expired');
    expect(bench.device('d1').state).toBe('queued'); // it may come back and tell
    bench.feed({ kind: 'tick' }, 110_000 + graceMs);
    expect(bench.device('d1').outcome).toBe('unknown');
  });

  it('notes what a device tells too late, once, and changes no outcome', () => {
    const bench = new Bench(plan(ids(1), { timeoutSeconds: 1 }), ids(1));
    bench.run('d0');
    bench.feed({ kind: 'tick' }, 1000 + graceMs);
    bench.feed({ kind: 'result', deviceId: 'd0', event: done('succeeded', { stdout: 'late' }) });
    bench.feed({ kind: 'result', deviceId: 'd0', event: done('failed') });
    expect(bench.device('d0')).toMatchObject({
      outcome: 'timed-out',
      reason: expect.stringMatching(/later the device reported: succeeded$/),
    });
    expect(bench.job.document.counts).toEqual({ 'timed-out': 1 });
  });

  it('never runs again what a lost history may have run', () => {
    const bench = new Bench(plan(ids(1)), ids(1));
    bench.run('d0');
    bench.feed({ kind: 'history-lost', deviceId: 'd0' });
    expect(bench.device('d0').outcome).toBe('unknown');
    expect(bench.requested('job.start')).toEqual(['d0']);
  });

  it('cancels what has not started and asks what runs to stop', () => {
    const bench = new Bench(plan(ids(3), { batch: '1' }, 20), ids(3));
    bench.run('d0');
    bench.feed({ kind: 'cancel', reason: 'enough' });
    expect(bench.job.document.counts).toEqual({ started: 1, cancelled: 2 });
    expect(bench.requested('job.cancel')).toEqual(['d0']);
    bench.feed({ kind: 'result', deviceId: 'd0', event: done('cancelled') });
    expect(bench.job.document).toMatchObject({ state: 'finished', counts: { cancelled: 3 } });
  });

  it('gives the place of a device that is silent for long to another, and still takes what it tells', () => {
    const bench = new Bench(plan(ids(3), { batch: '1', timeoutSeconds: 3_600, expiresSeconds: 3_600 }), ids(3));
    bench.run('d0');
    bench.feed({ kind: 'heard', deviceId: 'd0', startedAtMs: 0 }, 30_000);
    bench.feed({ kind: 'tick' }, 129_999);
    expect(bench.requested('job.start')).toEqual(['d0']);
    bench.feed({ kind: 'tick' }, 130_000);
    expect(bench.requested('job.start')).toEqual(['d0', 'd1']);
    // An agent that does not tell keeps its place; one that does not even confirm does not.
    bench.old.add('d1');
    bench.run('d1');
    bench.feed({ kind: 'tick' }, 300_000);
    expect(bench.requested('job.start')).toEqual(['d0', 'd1']);
    bench.feed({ kind: 'result', deviceId: 'd1', event: done('succeeded') }, 300_000);
    expect(bench.requested('job.start')).toEqual(['d0', 'd1', 'd2']);
    bench.feed({ kind: 'result', deviceId: 'd0', event: done('succeeded') }, 300_000);
    expect(bench.job.document.counts).toEqual({ succeeded: 2, queued: 1 });
  });

  it('asks for the number of machines to restart, when it is more than one', () => {
    const reboot = { action: { kind: 'reboot' as const } };
    expect(() => plan(ids(2), reboot, 100)).toThrow('more than one machine would restart');
    expect(plan(ids(2), { ...reboot, expect: 2 }, 100).document.matched).toBe(2);
    expect(plan(ids(1), reboot, 1).document.matched).toBe(1);
    expect(plan(ids(2), { action: { kind: 'restart', service: 'modem' } }, 2).document.matched).toBe(2);
  });

  it('sets a document on connected devices alone, and ends with what became of it there', () => {
    const action = { kind: 'config' as const, name: 'limits', document: { max: 1 } };
    const bench = new Bench(plan(ids(4), { action, expiresSeconds: 100, timeoutSeconds: 10 }), ['d0', 'd1']);
    const set = () => bench.effects.flatMap((effect) => (effect.kind === 'set-config' ? [effect.deviceId] : []));
    expect([set(), bench.job.document.counts]).toEqual([['d0', 'd1'], { queued: 2, waiting: 2 }]);
    bench.feed({ kind: 'config', deviceId: 'd0', fate: { reached: 'device' } });
    bench.feed({ kind: 'config', deviceId: 'd0', fate: { outcome: 'rejected', reason: 'too high' } });
    bench.feed({ kind: 'config', deviceId: 'd0', fate: { outcome: 'succeeded' } });
    expect(bench.device('d0')).toMatchObject({ outcome: 'rejected', reason: 'too high' });
    bench.feed({ kind: 'config', deviceId: 'd1', fate: { reached: 'device' } });
    bench.feed({ kind: 'history-lost', deviceId: 'd1' });
    bench.feed({ kind: 'tick' }, 10_000 + graceMs);
    expect(bench.device('d1')).toMatchObject({ outcome: 'timed-out', reason: expect.stringContaining('it stays set') });
    bench.online.add('d2');
    bench.old.add('d2');
    bench.feed({ kind: 'connected', deviceId: 'd2' });
    expect(bench.device('d2')).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining('too old') });
    bench.feed({ kind: 'cancel', reason: 'enough' });
    expect(bench.job.document).toMatchObject({ state: 'finished', counts: { cancelled: 1 } });
    expect([set(), bench.requested('job.run'), bench.requested('job.cancel')]).toEqual([['d0', 'd1'], [], []]);
  });

  const devices = ids(5);
  const deviceId = fc.constantFrom(...devices, 'stranger');
  const input = fc.oneof(
    fc.record({
      kind: fc.constantFrom('sent' as const, 'delivered' as const, 'history-lost' as const, 'removed' as const),
      deviceId,
    }),
    fc.record({ kind: fc.constantFrom('connected' as const, 'disconnected' as const), deviceId }),
    fc.record({
      kind: fc.constant('result' as const),
      deviceId,
      event: fc.oneof(
        fc.constant<JobEvent>({ jobId: 'j1', state: 'started' }),
        fc.constantFrom(...jobOutcomes, undefined).map((outcome) => done(outcome, { stdout: 'x' })),
      ),
    }),
    fc.record({ kind: fc.constant('cancel' as const), reason: fc.constant('enough') }),
    fc.record({ kind: fc.constant('tick' as const) }),
  );

  it('ends every device exactly once, whatever comes in whatever order, and always ends', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(input, fc.integer({ min: 0, max: 20_000 })), { maxLength: 80 }),
        fc.constantFrom<Partial<JobRequest>>({}, { batch: '2' }, { maxFailures: 2 }, { batch: '40%', maxFailures: 1 }),
        (inputs, request) => {
          const bench = new Bench(plan(devices, request, 20), ['d0', 'd2']);
          const ended = new Map<string, string>();
          const check = () => {
            for (const device of bench.job.devices) {
              const before = ended.get(device.deviceId);
              if (before !== undefined) expect(device).toMatchObject({ state: 'finished', outcome: before });
              if (device.state === 'finished') ended.set(device.deviceId, device.outcome!);
            }
            const counts: Record<string, number> = {};
            for (const device of bench.job.devices) {
              const name = device.state === 'finished' ? device.outcome! : device.state;
              counts[name] = (counts[name] ?? 0) + 1;
            }
            expect(bench.job.document.counts).toEqual(counts);
          };
          for (const [each, passedMs] of inputs) {
            if (each.kind === 'connected') bench.online.add(each.deviceId);
            if (each.kind === 'disconnected') bench.online.delete(each.deviceId);
            const before = bench.job;
            bench.feed(each, bench.nowMs + passedMs);
            if ('deviceId' in each && each.deviceId === 'stranger') expect(bench.job.devices).toBe(before.devices);
            check();
          }
          bench.feed({ kind: 'tick' }, bench.nowMs + 1_000_000);
          check();
          expect(bench.job.document.state).toBe('finished');
          const started = bench.requested('job.start');
          expect(new Set(started).size).toBe(started.length); // nobody is asked twice
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is rejected for an agent that is too old, as soon as that is known', () => {
    const bench = new Bench(plan(['d0', 'd1'], { action: { kind: 'ping' } }), ['d0', 'd1']);
    bench.old.add('d0');
    bench.feed({ kind: 'announced', deviceId: 'd0' });
    expect(bench.device('d0')).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining('agent too old') });
    expect(bench.device('d1')).toMatchObject({ state: 'queued' });
  });

  it('says since when it was not heard of, and that it is held', () => {
    const bench = new Bench(plan(['d0'], { hold: { forSeconds: 60, restore: { kind: 'command', argv: ['on'] } } }), [
      'd0',
    ]);
    bench.feed({ kind: 'heard', deviceId: 'd0', startedAtMs: 5 }, 10);
    expect(bench.device('d0')).toMatchObject({ state: 'started', heardAtMs: 10, startedAtMs: 5 });
    bench.feed({ kind: 'disconnected', deviceId: 'd0' }, 20);
    expect(bench.device('d0')).toMatchObject({ lostAtMs: 20 });
    bench.feed({ kind: 'connected', deviceId: 'd0' }, 30);
    expect(bench.device('d0').lostAtMs).toBeUndefined();
    bench.feed({ kind: 'result', deviceId: 'd0', event: { jobId: 'j1', state: 'held', outcome: 'succeeded' } }, 40);
    expect(bench.device('d0')).toMatchObject({ state: 'holding', outcome: 'succeeded' });
    expect(bench.job.document).toMatchObject({ state: 'running', counts: { holding: 1 } });
    const restore = { outcome: 'failed', exitCode: 2, stdout: 'x' } as const;
    bench.feed({ kind: 'result', deviceId: 'd0', event: done('failed', { restore }) }, 50);
    expect(bench.device('d0')).toMatchObject({ state: 'finished', restore: { outcome: 'failed', exitCode: 2 } });
    expect(bench.job.document.state).toBe('finished');
  });
});
