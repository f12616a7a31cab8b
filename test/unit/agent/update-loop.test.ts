/** No update goes on for ever: a device in a world that does its worst, by a clock of its own. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  maxEntries,
  maxEntriesInAll,
  transition,
  updateTable,
  type UpdateHappening,
} from '../../../src/agent/updater/transition.ts';
import { overdue, stateLimitMs, waitLeftMs, type LimitSource } from '../../../src/agent/updater/update-limit.ts';
import { isTerminal, waitCodes, type DeviceUpdateState, type Update } from '../../../src/agent/updater/update.ts';
import type { UpdateLimits } from '../../../src/config/agent-config.ts';
import { defaultUpdateRules } from '../../../src/config/agent-default.ts';

const source: LimitSource = { rules: defaultUpdateRules, testSeconds: 600, rebootSeconds: 120 };
const after = { bootId: 'b', slot: 'b', bundleUuid: 'uuid-2' };
const reason = { code: 'some-code', message: 'some message' };
const parts = 8;

function offered(): Update {
  return {
    rolloutId: 'r1',
    bundle: {
      product: 'p',
      version: '2',
      bundleUuid: 'uuid-2',
      sizeBytes: parts * 4096,
      sha256: '0'.repeat(64),
      partBytes: 4096,
      partSha256: Array.from({ length: parts }, () => '1'.repeat(64)),
    },
    delta: {
      fromUuid: 'uuid-1',
      sizeBytes: 4096,
      sha256: '0'.repeat(64),
      partBytes: 4096,
      partSha256: ['1'.repeat(64)],
    },
    expiresAtMs: 1,
    state: 'offered',
    attempts: { offered: 1 },
    enteredAtMs: 0,
    before: { bootId: 'b0', slot: 'a' },
    health: [],
    downloadedBytes: 0,
  };
}

/** One thing that the world does: restarts the agent or the machine, lets time pass, ends a step in some way. */
interface Deed {
  kind: 'step' | 'agent' | 'power' | 'wait' | 'wall-clock';
  roll: number;
  passMs: number;
}

const deed: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constantFrom('step', 'step', 'agent', 'power', 'wait', 'wall-clock'),
  roll: fc.nat({ max: 1_000 }),
  // Anything that is done takes a moment; often a moment only.
  passMs: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 3 * 86_400_000 })),
});

/** How a step of this state may end. */
function endings(update: Update): UpdateHappening[] {
  const all: UpdateHappening[] = [
    { type: 'download-begun' },
    { type: 'bundle-verified', downloadedBytes: 1 },
    { type: 'bundle-lost' },
    ...(update.delta === undefined ? [] : [{ type: 'delta-failed', deltaFailed: 'no' } as const]),
    { type: 'refused', reason },
    { type: 'cancelled', reason },
    { type: 'failed', reason },
    { type: 'install-begun', before: update.before },
    { type: 'install-failed', reason },
    { type: 'flipped' },
    { type: 'booted-new', after },
    { type: 'fell-back', after, reason },
    { type: 'test-failed', reason },
    { type: 'proven', after, health: [] },
    { type: 'reverted', after },
    { type: 'resumed' }, // a reboot command that did nothing
  ];
  return all.filter(({ type }) => updateTable[update.state][type] !== undefined);
}

/** The device as `Updater` drives it: what is overdue comes first; nothing happens to an update that has ended. */
class World {
  readonly source: LimitSource;
  update = offered();
  boots = 0;
  steps = 0;
  seen: DeviceUpdateState[] = [];
  /** Verified parts on the disk: progress can be made no more often than there are parts. */
  #parts = 0;
  #wallMs = 0;
  #uptimeMs = 0;

  constructor(limits: LimitSource = source) {
    this.source = limits;
  }

  get #now() {
    return { nowMs: this.#wallMs, bootId: `b${this.boots}`, uptimeMs: this.#uptimeMs };
  }

  do({ kind, roll, passMs }: Deed): void {
    this.#uptimeMs += passMs;
    this.#wallMs += passMs;
    const late = overdue(this.update, this.source, this.#now);
    if (late) return this.#take(late);
    switch (kind) {
      case 'step': {
        const ways = endings(this.update);
        return this.#take(ways[roll % ways.length]!);
      }
      case 'power':
        this.boots += 1;
        this.#uptimeMs = roll;
        return this.#resume(roll);
      case 'agent':
        return this.#resume(roll);
      case 'wait': {
        const code = waitCodes[roll % waitCodes.length]!;
        const allowed = updateTable[this.update.state].waits !== undefined;
        if (this.update.wait !== undefined && roll % 3 === 0) return this.#take({ type: 'goes-on' });
        return allowed ? this.#take({ type: 'waits', wait: { code, message: 'wait' } }) : undefined;
      }
      case 'wall-clock':
        this.#wallMs = roll % 2 === 0 ? 0 : 4e12;
        return this.#take({ type: 'ticked' });
    }
  }

  #resume(roll: number): void {
    const progressed = this.update.state === 'downloading' && this.#parts < parts && roll % 2 === 0;
    if (progressed) this.#parts += 1;
    this.#take({ type: 'resumed', progressed });
  }

  #take(happening: UpdateHappening): void {
    this.steps += 1;
    if (happening.type === 'bundle-lost' || happening.type === 'delta-failed') this.#parts = 0;
    this.update = transition(this.update, happening, this.#now);
    this.seen.push(this.update.state);
  }
}

/** No state is entered more often than all together may be, and no installation begins again behind a way back. */
function expectNoLoop(world: World): void {
  const entries = world.update.entries ?? 0;
  // Two more where the budget ends: the way back, or the end itself.
  expect(entries).toBeLessThanOrEqual(maxEntriesInAll + maxEntries + 1);
  for (const count of Object.values(world.update.attempts)) expect(count).toBeLessThanOrEqual(maxEntries);
  const back = world.seen.indexOf('reverting');
  if (back >= 0) expect(world.seen.slice(back).filter((state) => state === 'installing')).toEqual([]);
}

describe('an update in a world that does its worst', () => {
  it('ends, whatever happens, with no more attempts than it has', () => {
    fc.assert(
      fc.property(fc.infiniteStream(deed), (deeds) => {
        const world = new World();
        for (const each of deeds) {
          if (isTerminal(world.update.state)) break;
          world.do(each);
          expect(world.steps).toBeLessThan(5_000);
        }
        expectNoLoop(world);
      }),
      { numRuns: 1_500 },
    );
  });

  it('ends from every state by itself when nothing happens but time', () => {
    for (const state of Object.keys(updateTable).filter((name) => !isTerminal(name as DeviceUpdateState))) {
      const world = new World();
      world.update = { ...offered(), state: state as DeviceUpdateState, attempts: { [state]: 1 } };
      const limitMs = stateLimitMs(world.update, source);
      world.do({ kind: 'wall-clock', roll: 0, passMs: 1 }); // its timer begins
      world.do({ kind: 'wall-clock', roll: 1, passMs: limitMs - 2 });
      expect(world.update.state).toBe(state);
      world.do({ kind: 'wall-clock', roll: 0, passMs: 2 });
      expect(world.update).not.toMatchObject({ state });
      expect(world.update.reason?.code).toBe(`timed-out-${state}`);
    }
  });

  it('ends when the machine is restarted for ever and never lives for more than a moment', () => {
    const limits = { ...defaultUpdateRules.limits };
    for (const name of Object.keys(limits) as (keyof UpdateLimits)[]) limits[name] = 100;
    const brief = { ...source, rules: { ...defaultUpdateRules, limits } };
    for (const code of [undefined, ...waitCodes]) {
      const world = new World(brief);
      if (code !== undefined) world.do({ kind: 'wait', roll: waitCodes.indexOf(code), passMs: 1 });
      let boots = 0;
      for (; !isTerminal(world.update.state); boots++) {
        world.do({ kind: 'power', roll: 1, passMs: 1 });
        // As `UpdatePace` does: a deferral that has been used up does not hold any more.
        const { wait } = world.update;
        if (
          wait &&
          waitLeftMs(world.update, wait.code, brief, { nowMs: 0, bootId: `b${world.boots}`, uptimeMs: 1 }) <= 0
        )
          world.update = transition(
            world.update,
            { type: 'goes-on' },
            { nowMs: 0, bootId: `b${world.boots}`, uptimeMs: 1 },
          );
        expect(boots).toBeLessThan(120);
      }
      expect(boots).toBeGreaterThan(1);
    }
  });
});
