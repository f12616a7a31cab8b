/** Windows and stops of a job, as properties of whole runs on a virtual clock. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JobRequest } from '../../../src/client/contract/job.ts';
import { graceMs, type JobState } from '../../../src/coordinator/job/job-state.ts';
import { planJob } from '../../../src/coordinator/job/plan-job.ts';
import type { JobFacts, JobInput } from '../../../src/coordinator/job/job-input.ts';
import { reduceJob } from '../../../src/coordinator/job/reduce-job.ts';
import { jobOutcomes, type JobEvent } from '../../../src/protocol/event.ts';

const timeoutSeconds = 5;
const expiresSeconds = 60;
const tickMs = 250;

/** What a device is like in the simulation. */
type Nature =
  | { kind: 'well' | 'failing'; runMs: number }
  /** Its socket is open and nothing comes back: stopped, or behind a black hole. */
  | { kind: 'silent' }
  /** Takes the command, and is never heard of again until it goes away. */
  | { kind: 'lost'; runMs: number }
  | { kind: 'away' }
  | { kind: 'late'; connectMs: number; runMs: number };

interface Seen {
  job: JobState;
  /** When each was asked to start, and when it ended. */
  startedAtMs: Map<string, number>;
  endedAtMs: Map<string, number>;
  /** Most devices that were asked, connected and not done at one time. */
  mostAtOnce: number;
  /** Asked after the failures that stop the job had come. */
  askedAfterStop: number;
}

/** The whole of a job, from its start to the end of its last device. */
function run(natures: readonly Nature[], request: Partial<JobRequest>, cancelAtMs = Infinity): Seen {
  const ids = natures.map((_, at) => `d${String(at).padStart(3, '0')}`);
  const natureOf = new Map(ids.map((id, at) => [id, natures[at]!]));
  const online = new Set(ids.filter((id) => !['away', 'late'].includes(natureOf.get(id)!.kind)));
  const pending: { atMs: number; act(): void }[] = [];
  const later = (atMs: number, act: () => void): void => void pending.push({ atMs, act });
  let nowMs = 0;
  const seen: Seen = {
    job: planJob(
      { selector: '*', action: { kind: 'command', argv: ['true'] }, timeoutSeconds, expiresSeconds, ...request },
      ids,
      {
        id: 'j1',
        policy: { defaultTimeoutSeconds: 1, defaultExpiresSeconds: 1, confirmAboveShare: 1 },
        fleetSize: ids.length,
        submittedBy: 'local:0',
        nowMs: 0,
        random: () => 0.3,
      },
    ),
    startedAtMs: new Map(),
    endedAtMs: new Map(),
    mostAtOnce: 0,
    askedAfterStop: 0,
  };
  const sent = (id: string): void => {
    feed({ kind: 'sent', deviceId: id });
    const nature = natureOf.get(id)!;
    if (nature.kind === 'silent' || nature.kind === 'away') return;
    const { runMs } = nature;
    const say = (event: Partial<JobEvent>): void =>
      feed({ kind: 'result', deviceId: id, event: { jobId: 'j1', state: 'finished', ...event } });
    feed({ kind: 'delivered', deviceId: id });
    say({ state: 'started' });
    later(nowMs + runMs, () => {
      if (nature.kind === 'lost') {
        online.delete(id);
        feed({ kind: 'disconnected', deviceId: id });
      } else say({ outcome: nature.kind === 'failing' ? 'failed' : 'succeeded' });
    });
  };
  const feed = (input: JobInput): void => {
    const facts: JobFacts = {
      connected: (id) => online.has(id),
      takesRun: () => true,
      takesFollow: () => true,
      takesConfig: () => true,
      value: () => undefined,
    };
    const wasStopped = seen.job.document.stopped !== undefined;
    const { state, effects } = reduceJob(seen.job, input, facts, nowMs);
    seen.job = state;
    const asked: string[] = [];
    for (const effect of effects) {
      if (effect.kind === 'request' && effect.request.type === 'job.start') {
        expect(seen.startedAtMs.has(effect.deviceId)).toBe(false); // nobody is asked twice
        seen.startedAtMs.set(effect.deviceId, nowMs);
        if (wasStopped) seen.askedAfterStop += 1;
        asked.push(effect.deviceId);
      }
      if (effect.kind === 'member' && (effect.member.document as { state: string }).state === 'finished') {
        expect(seen.endedAtMs.has(effect.member.deviceId)).toBe(false); // nobody ends twice
        seen.endedAtMs.set(effect.member.deviceId, nowMs);
      }
    }
    const busy = [...seen.startedAtMs.keys()].filter((id) => online.has(id) && !seen.endedAtMs.has(id));
    seen.mostAtOnce = Math.max(seen.mostAtOnce, busy.length);
    for (const id of asked) if (online.has(id)) later(nowMs, () => sent(id));
  };
  for (const [id, nature] of natureOf) {
    if (nature.kind !== 'late') continue;
    later(nature.connectMs, () => {
      online.add(id);
      feed({ kind: 'connected', deviceId: id });
      if (seen.startedAtMs.has(id) && !seen.endedAtMs.has(id)) sent(id);
    });
  }
  if (cancelAtMs < Infinity) later(cancelAtMs, () => feed({ kind: 'cancel', reason: 'enough' }));
  feed({ kind: 'open' });
  const endMs = (expiresSeconds + timeoutSeconds) * 1_000 + graceMs + tickMs;
  for (let nextTickMs = 0; seen.job.document.state === 'running' && nowMs <= endMs;) {
    const next = pending.reduce(
      (soonest, { atMs }, at) => (atMs < (pending[soonest]?.atMs ?? Infinity) ? at : soonest),
      0,
    );
    const item = pending[next];
    if (item !== undefined && item.atMs <= nextTickMs) {
      pending.splice(next, 1);
      nowMs = Math.max(nowMs, item.atMs);
      item.act();
    } else {
      nowMs = nextTickMs;
      nextTickMs += tickMs;
      feed({ kind: 'tick' });
    }
  }
  return seen;
}

const runMs = fc.integer({ min: 0, max: 3_000 });
const well = fc.record({ kind: fc.constant('well' as const), runMs });
const nature: fc.Arbitrary<Nature> = fc.oneof(
  { weight: 4, arbitrary: well },
  fc.record({ kind: fc.constant('failing' as const), runMs }),
  fc.record({ kind: fc.constant('lost' as const), runMs }),
  fc.constant({ kind: 'silent' as const }),
  fc.constant({ kind: 'away' as const }),
  fc.record({ kind: fc.constant('late' as const), connectMs: fc.integer({ min: 0, max: 70_000 }), runMs }),
);
const natures = fc.array(nature, { minLength: 1, maxLength: 12 });
const options: fc.Parameters<unknown> = { numRuns: 150, seed: 7 };

describe('a job to its end', () => {
  it('ends every device in exactly one state in time, and keeps to its window and its stops', () => {
    const limits = fc.record(
      { window: fc.integer({ min: 1, max: 5 }), maxFailures: fc.integer({ min: 1, max: 3 }) },
      { requiredKeys: [] },
    );
    const cancelAtMs = fc.option(fc.integer({ min: 0, max: 80_000 }), { nil: undefined, freq: 3 });
    fc.assert(
      fc.property(natures, limits, cancelAtMs, (fleet, { window, maxFailures }, cancel) => {
        const seen = run(
          fleet,
          {
            ...(window === undefined ? {} : { batch: String(window) }),
            ...(maxFailures === undefined ? {} : { maxFailures }),
          },
          cancel,
        );
        const { document, devices } = seen.job;
        expect(document.state).toBe('finished');
        for (const { state, outcome } of devices)
          expect([state, jobOutcomes.includes(outcome!)]).toEqual(['finished', true]);
        expect(seen.endedAtMs.size).toBe(fleet.length);
        if (window !== undefined) expect(seen.mostAtOnce).toBeLessThanOrEqual(window);
        expect(seen.askedAfterStop).toBe(0);
        if (maxFailures !== undefined && window !== undefined) {
          // Those that were under way when the last tolerated failure came may fail, too.
          const { failed = 0, 'timed-out': timedOut = 0, unknown = 0, rejected = 0 } = document.counts;
          expect(failed + timedOut + unknown + rejected).toBeLessThanOrEqual(
            maxFailures - 1 + window + countLost(fleet),
          );
        }
        // What a device says of itself stands.
        for (const { deviceId, outcome } of devices) {
          const { kind } = fleet[seen.job.index.get(deviceId)!]!;
          if (outcome === 'succeeded') expect(['well', 'late']).toContain(kind);
          if (outcome === 'failed') expect(kind).toBe('failing');
          if (kind === 'away') expect(['expired', 'cancelled']).toContain(outcome);
        }
      }),
      options,
    );
  });

  it('gives the others their results as if the dead ones were not there', () => {
    const dead = fc.array(fc.constantFrom<Nature>({ kind: 'silent' }, { kind: 'away' }, { kind: 'lost', runMs: 0 }), {
      maxLength: 5,
    });
    const alive = fc.array(well, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(alive, dead, (others, ill) => {
        const alone = run(others, {});
        const together = run([...others, ...ill], {});
        for (const [id, endedAtMs] of alone.endedAtMs) expect(together.endedAtMs.get(id)).toBe(endedAtMs);
      }),
      options,
    );
  });

  it('takes no place of its window for a device that is away', () => {
    const away = fc.array(fc.constant<Nature>({ kind: 'away' }), { maxLength: 5 });
    const alive = fc.array(well, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(alive, away, fc.integer({ min: 1, max: 3 }), (others, ill, window) => {
        const alone = run(others, { batch: String(window) });
        const together = run([...others, ...ill], { batch: String(window) });
        for (const [id, endedAtMs] of alone.endedAtMs) expect(together.endedAtMs.get(id)).toBe(endedAtMs);
      }),
      options,
    );
  });

  it('draws its subset once and asks nobody else', () => {
    fc.assert(
      fc.property(natures, fc.integer({ min: 1, max: 20 }), (fleet, subset) => {
        const seen = run(fleet, { subset });
        expect(seen.job.document.matched).toBe(Math.min(subset, fleet.length));
        expect(seen.endedAtMs.size).toBe(seen.job.document.matched);
      }),
      options,
    );
  });
});

/** A device that goes away gives its place free while its end is still open. */
function countLost(fleet: readonly Nature[]): number {
  return fleet.filter(({ kind }) => kind === 'lost').length;
}
