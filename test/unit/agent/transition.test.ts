import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  maxBoots,
  maxEntries,
  maxEntriesInAll,
  transition as transitionAt,
  updateTable,
  type UpdateHappening,
} from '../../../src/agent/updater/transition.ts';
import { isTerminal, updateEventOf, type DeviceUpdateState, type Update } from '../../../src/agent/updater/update.ts';

const instant = (ms: number, bootId = 'boot-1') => ({ nowMs: ms, bootId, uptimeMs: ms });
const transition = (update: Update, happening: UpdateHappening, ms: number) =>
  transitionAt(update, happening, instant(ms));

const after = { bootId: 'boot-2', slot: 'b', bundleUuid: 'uuid-2' };
const reason = { code: 'some-code', message: 'some message' };

const happenings: UpdateHappening[] = [
  { type: 'download-begun' },
  { type: 'resumed' },
  { type: 'resumed', progressed: true, downloadedBytes: 4096 },
  { type: 'bundle-verified', downloadedBytes: 8192 },
  { type: 'bundle-lost' },
  { type: 'delta-failed', deltaFailed: 'made for other bytes' },
  { type: 'refused', reason },
  { type: 'cancelled', reason },
  { type: 'failed', reason },
  { type: 'install-begun', before: { bootId: 'boot-1', slot: 'a' } },
  { type: 'install-failed', reason },
  { type: 'flipped' },
  { type: 'booted-new', after },
  { type: 'fell-back', after, reason },
  { type: 'test-failed', reason },
  { type: 'proven', after, health: [] },
  { type: 'reverted', after },
  { type: 'timed-out', limitSeconds: 60 },
  { type: 'waited-out', limitSeconds: 60 },
  { type: 'waits', wait: { code: 'window-install', message: 'closed' } },
  { type: 'goes-on' },
  { type: 'noted', approvedAtMs: 7 },
  { type: 'ticked' },
];
const stays: readonly string[] = ['waits', 'goes-on', 'noted', 'ticked'];

const states = Object.keys(updateTable) as DeviceUpdateState[];

function record(state: DeviceUpdateState): Update {
  return {
    rolloutId: 'r1',
    bundle: {
      product: 'p',
      version: '2',
      bundleUuid: 'uuid-2',
      sizeBytes: 8192,
      sha256: '0'.repeat(64),
      partBytes: 4096,
      partSha256: ['1'.repeat(64), '2'.repeat(64)],
    },
    expiresAtMs: 1,
    state,
    attempts: { [state]: 1 },
    enteredAtMs: 0,
    before: { bootId: 'boot-1', slot: 'a' },
    health: [],
    downloadedBytes: 0,
  };
}

function legal(state: DeviceUpdateState): UpdateHappening[] {
  return happenings.filter(({ type }) => updateTable[state][type] !== undefined);
}

describe('the update state machine', () => {
  it('has a happening in this test for every column, and every state in its table', () => {
    const columns = new Set(Object.values(updateTable).flatMap((row) => Object.keys(row)));
    expect([...columns].sort()).toEqual([...new Set(happenings.map(({ type }) => type))].sort());
    for (const state of states) expect(isTerminal(state)).toBe(Object.keys(updateTable[state]).length === 0);
  });

  it('ends from every state, whatever happens, within the limit of entries', () => {
    const start = fc.constantFrom(...states.filter((state) => !isTerminal(state)));
    fc.assert(
      fc.property(start, fc.infiniteStream(fc.nat()), (state, dice) => {
        let update = record(state);
        const entries: Partial<Record<DeviceUpdateState, number>> = {};
        let steps = 0;
        for (const roll of dice) {
          if (isTerminal(update.state)) break;
          // Progress is bounded by the bundle's parts, so a loop of it is none.
          const choices = legal(update.state).filter(
            ({ type, ...facts }) => !stays.includes(type) && (!('progressed' in facts) || steps < 10),
          );
          update = transition(update, choices[roll % choices.length]!, ++steps);
          entries[update.state] = (entries[update.state] ?? 0) + 1;
          expect(update.attempts[update.state]).toBeLessThanOrEqual(maxEntries);
          expect(steps).toBeLessThan(60);
        }
        for (const [name, count] of Object.entries(entries)) {
          if (name !== 'downloading') expect(count).toBeLessThanOrEqual(maxEntries);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('ends by itself when nothing but restarts of the agent happen', () => {
    for (const state of states.filter((name) => !isTerminal(name))) {
      let update = record(state);
      let restarts = 0;
      while (!isTerminal(update.state)) {
        update = transition(update, { type: 'resumed' }, ++restarts);
        expect(restarts).toBeLessThan(20);
      }
      expect(['failed', 'rolled-back']).toContain(update.state);
      expect(update.reason?.code).toBe('attempts-exhausted');
    }
  });

  it('throws for every illegal pair and leaves the record as it was', () => {
    for (const state of states) {
      for (const happening of happenings) {
        if (updateTable[state][happening.type] !== undefined) continue;
        const update = record(state);
        const copy = structuredClone(update);
        expect(() => transition(update, happening, 5)).toThrow(/cannot take/);
        expect(update).toEqual(copy);
      }
    }
  });

  it('never changes the record that it is given', () => {
    for (const state of states) {
      for (const happening of legal(state)) {
        const update = record(state);
        const copy = structuredClone(update);
        transition(update, happening, 5);
        expect(update).toEqual(copy);
      }
    }
  });

  it('reaches committed only from testing, by proof', () => {
    for (const state of states) {
      for (const happening of legal(state)) {
        if (transition(record(state), happening, 1).state !== 'committed') continue;
        expect([state, happening.type]).toEqual(['testing', 'proven']);
      }
    }
  });

  it('puts the old slot back before it gives up behind the flip', () => {
    for (const state of ['installing', 'rebooting', 'testing'] as const) {
      for (const happening of legal(state)) expect(transition(record(state), happening, 1).state).not.toBe('failed');
      const worn = { ...record(state), attempts: { [state]: maxEntries } };
      expect(transition(worn, { type: 'resumed' }, 1)).toMatchObject({ state: 'reverting' });
    }
  });

  it('ends a revert as rolled back when the new slot had run, and as failed when it had not', () => {
    const ending = (state: DeviceUpdateState, happening: UpdateHappening) =>
      transition(transition(record(state), happening, 1), { type: 'reverted', after }, 2);
    expect(ending('testing', { type: 'test-failed', reason })).toMatchObject({ state: 'rolled-back', reason });
    expect(ending('installing', { type: 'install-failed', reason })).toMatchObject({ state: 'failed', reason });
    expect(ending('rebooting', { type: 'test-failed', reason })).toMatchObject({ state: 'failed', reason });
  });

  it('tells the coordinator of a revert as testing with a reason', () => {
    const reverting = transition(record('testing'), { type: 'test-failed', reason }, 1);
    expect(updateEventOf(reverting)).toMatchObject({ state: 'testing', reason, attempt: 1 });
  });

  it('has a time-out in every state that is not an end, and names the state in its reason', () => {
    const ends = states.filter((state) => !isTerminal(state));
    const ways = ends.map((state) => [state, transition(record(state), { type: 'timed-out', limitSeconds: 60 }, 5)]);
    expect(ways.map(([state, update]) => [state, (update as Update).state, (update as Update).reason?.code])).toEqual([
      ['offered', 'failed', 'timed-out-offered'],
      ['downloading', 'failed', 'timed-out-downloading'],
      ['verified', 'failed', 'timed-out-verified'],
      ['installing', 'reverting', 'timed-out-installing'],
      ['rebooting', 'reverting', 'timed-out-rebooting'],
      ['testing', 'reverting', 'timed-out-testing'],
      ['reverting', 'failed', 'timed-out-reverting'],
    ]);
  });

  it('takes no attempt away while it waits for somebody, and one for each restart under a hook', () => {
    const wait = { code: 'window-install', message: 'closed' } as const;
    let update = transition(record('verified'), { type: 'waits', wait }, 1);
    for (let boot = 2; boot < 40; boot++) update = transitionAt(update, { type: 'resumed' }, instant(boot, `b${boot}`));
    expect(update).toMatchObject({ state: 'verified', attempts: { verified: 1 }, wait });
    const retry = { code: 'hook-retry', message: 'later' } as const;
    let asked = transition(record('verified'), { type: 'waits', wait: retry }, 1);
    asked = transition(asked, { type: 'resumed' }, 2);
    expect(asked).toMatchObject({ state: 'verified', attempts: { verified: 2 } });
    expect(asked.wait).toBeUndefined();
  });

  it('goes back when the machine was restarted too often on trial, whatever each state has left', () => {
    let update: Update = { ...record('testing'), boots: maxBoots };
    update = transitionAt(update, { type: 'ticked' }, instant(1, 'boot-1'));
    update = transitionAt(update, { type: 'resumed' }, instant(2, 'boot-2'));
    expect(update).toMatchObject({ state: 'reverting', reason: { code: 'attempts-exhausted' } });
  });

  it('gives up when all states together were entered too often', () => {
    const worn = { ...record('downloading'), entries: maxEntriesInAll };
    expect(transition(worn, { type: 'bundle-verified', downloadedBytes: 1 }, 1)).toMatchObject({
      state: 'failed',
      reason: { code: 'attempts-exhausted' },
    });
    // The way back has attempts of its own.
    const back = { ...record('testing'), entries: maxEntriesInAll };
    expect(transition(back, { type: 'test-failed', reason }, 1)).toMatchObject({ state: 'reverting', reason });
  });

  it('reads what an agent of the version before has written', () => {
    const { timer: _, entries: __, ...old } = record('testing');
    const done = transition(old, { type: 'proven', after, health: [] }, 9);
    expect(done).toMatchObject({ state: 'committed', decidedAtMs: 9 });
  });
});
