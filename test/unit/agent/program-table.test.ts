import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { programLeftMs, programOverdue } from '../../../src/agent/program/program-limit.ts';
import {
  maxProgramEntries,
  programTable,
  programTransition,
  type ProgramHappening,
  type ProgramHappeningType,
} from '../../../src/agent/program/program-table.ts';
import {
  hasEnded,
  programEventOf,
  type ProgramState,
  type ProgramUpdate,
} from '../../../src/agent/program/program-update.ts';
import {
  maxTrialStarts,
  programVerdict,
  type ProgramFacts,
  type Trial,
} from '../../../src/agent/program/program-verdict.ts';
import type { Instant } from '../../../src/agent/updater/update-timer.ts';
import { judgeProgramEvidence } from '../../../src/coordinator/rollout/judge-program-evidence.ts';

const uuid = '7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11';
const before = { bootId: 'b', version: '1.0.0' };
const update: ProgramUpdate = {
  updateId: 'u1',
  bundle: {
    product: 'flotilla-agent',
    version: '2.0.0',
    bundleUuid: uuid,
    sizeBytes: 1,
    sha256: '0'.repeat(64),
    partBytes: 4096,
    partSha256: ['0'.repeat(64)],
  },
  expiresAtMs: 1e12,
  state: 'downloading',
  attempts: { downloading: 1 },
  enteredAtMs: 0,
  before,
  health: [],
  downloadedBytes: 0,
};
const reason = { code: 'c', message: 'm' };
const after = { bootId: 'b', version: '2.0.0', bundleUuid: uuid };
const health = ['start', 'database', 'coordinator'].map((name) => ({ name, ok: true, durationMs: 1 }));
const happenings: { [T in ProgramHappeningType]: ProgramHappening & { type: T } } = {
  resumed: { type: 'resumed' },
  'bundle-verified': { type: 'bundle-verified', downloadedBytes: 1 },
  'bundle-lost': { type: 'bundle-lost' },
  refused: { type: 'refused', reason },
  cancelled: { type: 'cancelled', reason },
  failed: { type: 'failed', reason },
  'timed-out': { type: 'timed-out', reason },
  ticked: { type: 'ticked' },
  placed: { type: 'placed' },
  passed: { type: 'passed', after, health, coordinatorReached: true },
  switched: { type: 'switched' },
  'fell-back': { type: 'fell-back', after: before, reason },
};
const at = (uptimeMs: number): Instant => ({ nowMs: uptimeMs, bootId: 'b', uptimeMs });
const states = Object.keys(programTable) as ProgramState[];
const types = Object.keys(happenings) as ProgramHappeningType[];

function run(...path: ProgramHappeningType[]): ProgramUpdate {
  return path.reduce((record, type) => programTransition(record, happenings[type], at(7)), update);
}

describe('the table of an update of the agent', () => {
  it('throws for a pair that it does not hold, and changes nothing', () => {
    for (const state of states) {
      for (const type of types) {
        if (programTable[state][type] !== undefined) continue;
        const record = Object.freeze({ ...update, state });
        expect(() => programTransition(record, happenings[type], at(1))).toThrow('cannot take');
      }
    }
  });

  it('commits by evidence alone', () => {
    const testing = run('bundle-verified', 'placed');
    expect(() => programTransition(testing, happenings.switched, at(1))).toThrow('cannot take "switched"');
    const committed = run('bundle-verified', 'placed', 'passed', 'switched');
    expect(committed).toMatchObject({ state: 'committed', installedAtMs: 7, decidedAtMs: 7, passed: true });
    const { evidence } = programEventOf(committed);
    expect(judgeProgramEvidence(evidence, uuid)).toEqual({ proven: true });
    for (const wrong of [
      { ...evidence!, after: before },
      { ...evidence!, before: after },
      { ...evidence!, health: [] },
      { ...evidence!, health: [{ name: 'coordinator', ok: false, durationMs: 1 }] },
      { ...evidence!, coordinatorReached: false },
    ]) {
      expect(judgeProgramEvidence(wrong, uuid)).toMatchObject({ proven: false });
    }
    expect(judgeProgramEvidence(undefined, uuid)).toMatchObject({ proven: false });
  });

  it('comes to an end whatever happens, and soon', () => {
    // Every happening but progress and those that change nothing is an entry of a state, and each has its number.
    const most = 3 * maxProgramEntries + 1;
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat({ max: 1_000 })), (choices) => {
        let record = update;
        for (let step = 0; !hasEnded(record); step += 1) {
          expect(step).toBeLessThanOrEqual(most);
          const row = programTable[record.state];
          const open = types.filter((type) => row[type] !== undefined && row[type] !== 'stays');
          const legal = open.filter((type) => type !== 'switched' || record.passed === true);
          const choice = choices.next().value as number;
          record = programTransition(record, happenings[legal[choice % legal.length]!], at(step));
        }
        expect(record.decidedAtMs).toBeDefined();
      }),
      { seed: 10, numRuns: 300 },
    );
  });
});

describe('the timer of an update of the agent', () => {
  const source = { proveSeconds: 180 };
  const live = (['downloading', 'installing', 'testing'] as const).map((state) => ({ ...update, state }));

  it('stands on every state that is no end, and ends it by time alone', () => {
    expect(live.map(({ state }) => state)).toEqual(states.filter((state) => !hasEnded({ state })));
    for (const begun of live) {
      const leftMs = programLeftMs(begun, source, at(0));
      const ticked = { ...programTransition(begun, happenings.ticked, at(0)), state: begun.state };
      expect(programOverdue(ticked, source, at(leftMs - 1))).toBeUndefined();
      const late = programOverdue(ticked, source, at(leftMs))!;
      expect(programTransition(ticked, late, at(leftMs))).toMatchObject({
        state: 'failed',
        reason: { code: `timed-out-${begun.state}` },
        decidedAtMs: leftMs,
      });
    }
  });

  it('counts by no clock that somebody sets, and goes on behind a restart', () => {
    for (const begun of live) {
      let record = { ...programTransition(begun, happenings.ticked, at(0)), state: begun.state };
      let boots = 0;
      for (
        ;
        programOverdue(record, source, { nowMs: 0, bootId: `b${boots}`, uptimeMs: 60_000 }) === undefined;
        boots++
      ) {
        const instant = { nowMs: boots % 2 === 0 ? 0 : 4e12, bootId: `b${boots}`, uptimeMs: 60_000 };
        const ticked = programTransition(record, happenings.ticked, { ...instant, uptimeMs: 1 });
        record = { ...programTransition(ticked, happenings.ticked, instant), state: begun.state };
      }
      // A minute of each boot was counted.
      expect(boots).toBeGreaterThan(10);
      expect(boots).toBeLessThanOrEqual(7 * 24 * 60);
    }
  });

  it('begins anew with each state', () => {
    const installing = programTransition(update, happenings['bundle-verified'], at(9_000));
    expect(installing.timer).toMatchObject({ spentMs: 0, uptimeMs: 9_000 });
    const again = programTransition(installing, happenings.resumed, at(10_000));
    expect(again.timer).toMatchObject({ spentMs: 1_000 });
  });
});

describe('what the files say of an update of the agent', () => {
  const trial: Trial = { bundleUuid: uuid, fits: true, starts: 0, ends: [] };
  const facts: ProgramFacts = { runs: undefined, version: '1.0.0', bootId: 'b', current: undefined, trial };
  const testing = run('bundle-verified', 'placed');

  it('is put on trial once', () => {
    const installing = run('bundle-verified');
    expect(programVerdict(installing, { ...facts, trial: undefined })).toEqual({ next: 'place' });
    expect(programVerdict(installing, facts)).toEqual({ happening: { type: 'placed' } });
  });

  it('is started by another process, proven by itself, and switched over only then', () => {
    expect(programVerdict(testing, facts)).toEqual({ next: 'restart' });
    expect(programVerdict(testing, { ...facts, runs: uuid })).toEqual({ next: 'prove' });
    const passed = run('bundle-verified', 'placed', 'passed');
    expect(programVerdict(passed, { ...facts, runs: uuid })).toEqual({ next: 'switch' });
    expect(programVerdict(passed, { ...facts, runs: uuid, current: uuid })).toEqual({
      happening: { type: 'switched' },
    });
    // The launcher has ended it between the switch and the word of it: it is the current one all the same.
    const ended = { ...trial, failed: 'trial-hung: it was ended' };
    expect(programVerdict(passed, { ...facts, runs: uuid, current: uuid, trial: ended })).toEqual({
      happening: { type: 'switched' },
    });
    expect(programVerdict(passed, { ...facts, runs: uuid, trial: ended })).toEqual({ next: 'restart' });
  });

  it('names why the old one runs', () => {
    const say = (changes: Partial<Trial>) => programVerdict(testing, { ...facts, trial: { ...trial, ...changes } });
    expect(say({ starts: maxTrialStarts, ends: [1, 139] })).toMatchObject({
      happening: {
        type: 'fell-back',
        reason: { code: 'trial-exhausted', message: expect.stringContaining('exit code 1, signal 11') as string },
      },
    });
    expect(say({ starts: 1, failed: 'no-coordinator: none came' })).toMatchObject({
      happening: { type: 'fell-back', reason: { code: 'no-coordinator', message: 'none came' } },
    });
    // It never ran, so there is nothing that was gone back from.
    expect(say({ fits: false })).toMatchObject({ happening: { type: 'failed', reason: { code: 'base-changed' } } });
    expect(programVerdict(testing, { ...facts, trial: undefined })).toMatchObject({
      happening: { type: 'failed', reason: { code: 'program-gone' } },
    });
    expect(run('bundle-verified', 'placed', 'resumed', 'resumed', 'resumed')).toMatchObject({
      state: 'failed',
      reason: { code: 'trial-not-started' },
    });
  });

  it('never takes the old program for the new one', () => {
    const some = fc.record({
      runs: fc.constantFrom(undefined, 'other'),
      version: fc.constant('1.0.0'),
      bootId: fc.constant('b'),
      current: fc.constantFrom(undefined, uuid, 'other'),
      trial: fc.option(
        fc.record({
          bundleUuid: fc.constantFrom(uuid, 'other'),
          fits: fc.boolean(),
          starts: fc.nat({ max: 4 }),
          ends: fc.constant([]),
        }),
        { nil: undefined },
      ),
    });
    const passed = run('bundle-verified', 'placed', 'passed');
    fc.assert(
      fc.property(some, fc.constantFrom(testing, passed), (seen, record) => {
        const verdict = programVerdict(record, seen);
        if ('next' in verdict) expect(verdict.next).toBe('restart');
        else expect(['fell-back', 'failed']).toContain(verdict.happening.type);
      }),
      { seed: 10, numRuns: 200 },
    );
  });
});
