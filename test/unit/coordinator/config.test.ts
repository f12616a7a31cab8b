import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTakenUp, newConfig, type ConfigDocument } from '../../../src/coordinator/config/config-document.ts';
import { differingPaths, isTooDeep, mergeDocuments, valueAt } from '../../../src/coordinator/config/merge-document.ts';
import { reduceConfig, type ConfigInput } from '../../../src/coordinator/config/reduce-config.ts';
import { summarizeConfig, viewConfig } from '../../../src/coordinator/config/view-config.ts';
import type { Effect } from '../../../src/coordinator/effect.ts';
import type { ConfigEvent } from '../../../src/protocol/event.ts';
import type { ConfigDesired } from '../../../src/protocol/request.ts';
import type { RequestRow } from '../../../src/store/row.ts';

const seed = 20_261_125;
const report = (over: Partial<ConfigEvent>): ConfigInput => ({
  kind: 'report',
  event: { name: 'limits', revision: 1, desiredVersion: 0, document: {}, state: 'local', ...over },
});
const set = (document: unknown): ConfigInput => ({ kind: 'set', document, by: 'me' });

/** Runs the inputs one after the other; the state, and what the last one had as its effects. */
function run(...inputs: ConfigInput[]): { state: ConfigDocument; effects: Effect[] } {
  let now = { state: newConfig('gw-1', 'limits'), effects: [] as Effect[] };
  for (const [n, input] of inputs.entries()) now = reduceConfig(now.state, input, n + 1);
  return now;
}

const sentBy = (effects: readonly Effect[]): ConfigDesired | undefined =>
  effects.flatMap((effect) => (effect.kind === 'request' ? [effect.request.payload as ConfigDesired] : []))[0];

describe('a merge of documents', () => {
  it('takes what either side changed, place by place, and arrays as a whole', () => {
    const base = { flow: { max: 10, min: 1 }, tags: [1, 2], gone: true };
    const desired = { flow: { max: 12, min: 1 }, tags: [1, 2], gone: true, added: { a: 1 } };
    const reported = { flow: { max: 10, min: 2 }, tags: [3], added: { b: 2 } };
    expect(mergeDocuments(base, desired, reported)).toEqual({
      document: { flow: { max: 12, min: 2 }, tags: [3], added: { a: 1, b: 2 } },
      conflicts: [],
      kept: ['/flow/min', '/tags', '/gone', '/added/b'],
    });
  });

  it('names the places that both sides changed, with all three values', () => {
    expect(mergeDocuments({ 'a/b': 1, 'c~d': [1] }, { 'a/b': 2, 'c~d': [2] }, { 'a/b': 3 }).conflicts).toEqual([
      { path: '/a~1b', base: 1, desired: 2, reported: 3 },
      { path: '/c~0d', base: [1], desired: [2] },
    ]);
  });

  it('without a base unites what does not contradict itself', () => {
    expect(mergeDocuments(undefined, { a: 1, x: 1 }, { b: 2, x: 1 })).toMatchObject({
      document: { a: 1, b: 2, x: 1 },
      conflicts: [],
    });
    expect(mergeDocuments(undefined, { x: 1 }, { x: 2 }).conflicts).toMatchObject([{ path: '/x' }]);
  });

  it('never loses a change of one side, and never invents one', () => {
    const document = fc.dictionary(
      fc.constantFrom('a', 'b', 'c'),
      fc.oneof(
        fc.integer({ min: 0, max: 2 }),
        fc.dictionary(fc.constantFrom('x', 'y'), fc.integer({ min: 0, max: 2 })),
      ),
    );
    fc.assert(
      fc.property(document, document, document, (base, desired, reported) => {
        const { document: merged, conflicts } = mergeDocuments(base, desired, reported);
        if (conflicts.length > 0) return;
        const changed = (side: unknown) => differingPaths(base, side);
        for (const path of changed(merged)) {
          expect([...changed(desired), ...changed(reported)].some((one) => related(one, path))).toBe(true);
        }
        for (const side of [desired, reported]) {
          for (const path of changed(side)) {
            const there = valueAt(merged, path);
            const meant = valueAt(side, path);
            // Two sides may both have put an object here: then it holds the members of both.
            if (typeof meant === 'object' && meant !== null) expect(there).toMatchObject(meant);
            else expect(there).toEqual(meant);
          }
        }
        expect(mergeDocuments(base, desired, base).document).toEqual(desired);
        expect(mergeDocuments(base, base, reported).document).toEqual(reported);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it('is asked only of documents that are not too deep', () => {
    const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
    expect([isTooDeep(deep(64)), isTooDeep(deep(65))]).toEqual([false, true]);
  });
});

describe('a document of settings', () => {
  it('goes out, and is applied once the device says so', () => {
    const first = run(set({ a: 1 }));
    expect(first.effects.map(({ kind }) => kind)).toEqual(['withdraw', 'request']);
    expect(sentBy(first.effects)).toEqual({ name: 'limits', version: 1, baseRevision: 0, document: { a: 1 } });
    const row = requestRow(first.effects, 1);
    const state = (config: ConfigDocument, rows: RequestRow[], taker = {}) =>
      summarizeConfig(config, rows, { agentVersion: '1', ...taker }).state;
    expect(summarizeConfig(first.state, [row], { agentVersion: '0.1.0' })).toEqual({
      name: 'limits',
      state: 'pending',
      version: 1,
      reason: 'needs config.desired, which agent 0.1.0 does not announce',
    });
    expect(state(first.state, [{ ...row, seq: 4 }])).toBe('sent');
    expect(state(run(set({ a: 1 }), { kind: 'delivered', version: 1 }).state, [])).toBe('sent');
    const applied = run(set({ a: 1 }), report({ state: 'applied', desiredVersion: 1, document: { a: 1 } }));
    expect([state(applied.state, []), applied.effects]).toEqual(['applied', []]);
  });

  it('takes what the device changed elsewhere along, also later from the same file', () => {
    const applied = report({ state: 'applied', desiredVersion: 1, document: { a: 1, b: 1 } });
    const changed = report({ revision: 2, desiredVersion: 1, document: { a: 1, b: 2 } });
    const once = run(set({ a: 1, b: 1 }), applied, changed, set({ a: 5, b: 1 }));
    expect(sentBy(once.effects)).toMatchObject({ version: 2, baseRevision: 2, document: { a: 5, b: 2 } });
    const again = run(
      set({ a: 1, b: 1 }),
      applied,
      changed,
      set({ a: 5, b: 1 }),
      report({ revision: 3, state: 'applied', desiredVersion: 2, document: { a: 5, b: 2 } }),
      set({ a: 6, b: 1 }),
    );
    expect(sentBy(again.effects)).toMatchObject({ version: 3, document: { a: 6, b: 2 } });
  });

  it('that the device changed while one was on its way goes out anew with both', () => {
    const both = run(
      set({ a: 1, b: 1 }),
      report({ state: 'applied', desiredVersion: 1, document: { a: 1, b: 1 } }),
      set({ a: 2, b: 1 }),
      report({ revision: 2, desiredVersion: 1, document: { a: 1, b: 9 } }),
    );
    expect(sentBy(both.effects)).toEqual({ name: 'limits', version: 3, baseRevision: 2, document: { a: 2, b: 9 } });
    // The device takes its change back before that arrives: it is not put there again.
    const back = reduceConfig(both.state, report({ revision: 3, desiredVersion: 1, document: { a: 1, b: 1 } }), 9);
    expect(sentBy(back.effects)).toMatchObject({ version: 4, document: { a: 2, b: 1 } });
  });

  it('that both sides changed in the same place stands still until it is resolved', () => {
    const inputs = [
      set({ a: 1 }),
      report({ state: 'applied', desiredVersion: 1, document: { a: 1 } }),
      report({ revision: 2, desiredVersion: 1, document: { a: 3 } }),
      set({ a: 2 }),
    ];
    const conflict = run(...inputs);
    expect(sentBy(conflict.effects)).toBeUndefined();
    expect(conflict.effects).toContainEqual({
      kind: 'event',
      deviceId: 'gw-1',
      type: 'coordinator.config-conflict',
      key: 'limits',
      payload: { name: 'limits', paths: ['/a'], version: 2, revision: 2 },
    });
    expect(viewConfig(conflict.state, [], {})).toMatchObject({
      state: 'conflict',
      base: { a: 1 },
      differences: [{ path: '/a', conflict: true, base: 1, desired: 2, reported: 3 }],
    });
    const resend = reduceConfig(conflict.state, { kind: 'resend' }, 8);
    expect(resend.effects).toEqual([]);
    const later = run(...inputs, report({ revision: 3, desiredVersion: 1, document: { a: 4 } }));
    expect(later.effects.map(({ kind }) => kind)).toEqual(['withdraw']);
    expect(viewConfig(later.state, [], {}).differences).toMatchObject([{ path: '/a', desired: 2, reported: 4 }]);
    const resolved = run(...inputs, { kind: 'resolve', document: { a: 3 }, by: 'me' });
    expect(sentBy(resolved.effects)).toMatchObject({ version: 3, baseRevision: 2, document: { a: 3 } });
    // Both agree after all.
    const agreed = run(...inputs, report({ revision: 3, desiredVersion: 1, document: { a: 2 } }));
    expect(sentBy(agreed.effects)).toMatchObject({ document: { a: 2 } });
  });

  it('that the product rejected stays rejected until another one is wanted', () => {
    const rejected = report({ revision: 0, document: null, state: 'rejected', desiredVersion: 1, reason: 'no' });
    const state = run(set({ a: 1 }), rejected).state;
    expect(summarizeConfig(state, [], {})).toMatchObject({ state: 'rejected', reason: 'no' });
    const local = run(set({ a: 1 }), rejected, report({ revision: 1, document: { z: 1 } }));
    expect([summarizeConfig(local.state, [], {}).state, sentBy(local.effects)]).toEqual(['rejected', undefined]);
    expect(sentBy(run(set({ a: 1 }), rejected, set({ a: 2 })).effects)).toMatchObject({
      version: 2,
      document: { a: 2 },
    });
  });

  it('goes out anew to a device that was wiped or set back', () => {
    const applied = report({ revision: 4, state: 'applied', desiredVersion: 1, document: { a: 1 } });
    const lost = run(set({ a: 1 }), applied, { kind: 'history-lost' });
    expect(sentBy(lost.effects)).toEqual({ name: 'limits', version: 2, baseRevision: 0, document: { a: 1 } });
    const back = run(set({ a: 1 }), applied, report({ revision: 1, desiredVersion: 0, document: { factory: true } }));
    expect(sentBy(back.effects)).toEqual({ name: 'limits', version: 2, baseRevision: 1, document: { a: 1 } });
  });

  it('comes to rest with both sides alike, whatever happens in between', () => {
    const place = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), place, value: fc.integer({ min: 0, max: 3 }) }),
      fc.record({ kind: fc.constant('change' as const), place, value: fc.integer({ min: 0, max: 3 }) }),
      fc.record({ kind: fc.constantFrom('deliver' as const, 'decide' as const, 'tell' as const) }),
      fc.record({ kind: fc.constant('refuse' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const device = new PlayedDevice();
        for (const one of steps) device.step(one);
        let rounds = 0;
        while (device.rest()) expect((rounds += 1)).toBeLessThan(20);
        const { config } = device;
        if (config.contest !== undefined)
          device.take({ kind: 'resolve', document: config.desired!.document, by: 'me' });
        while (device.rest()) expect((rounds += 1)).toBeLessThan(40);
        if (device.config.desired === undefined || device.config.rejection?.version === device.config.desired.version)
          return;
        expect(isTakenUp(device.config)).toBe(true);
        expect(device.config.reported!.document).toEqual(device.document);
        expect(new Set(device.versions).size).toBe(device.versions.length);
      }),
      { seed, numRuns: 1_000 },
    );
  });
});

/** A device as the agent is one: it keeps the newest version that was sent, and its product decides on it. */
class PlayedDevice {
  config = newConfig('gw-1', 'limits');
  document: Record<string, number> = {};
  readonly versions: number[] = [];
  #given: Record<string, number> = {};
  #requests: ConfigDesired[] = [];
  #events: ConfigEvent[] = [];
  #pending: ConfigDesired | undefined;
  #revision = 0;
  #taken = 0;
  #decided = 0;

  step(one: { kind: string; place?: string; value?: number }): void {
    if (one.kind === 'set') {
      this.#given = { ...this.#given, [one.place!]: one.value! };
      this.take({ kind: 'set', document: this.#given, by: 'me' });
    } else if (one.kind === 'change') {
      if (this.document[one.place!] === one.value) return;
      this.document = { ...this.document, [one.place!]: one.value! };
      this.#revision += 1;
      this.#tell('local', this.#taken);
    } else if (one.kind === 'deliver') this.#deliver();
    else if (one.kind === 'decide') this.#decide(true);
    else if (one.kind === 'refuse') this.#decide(false);
    else this.#hear();
  }

  /** Lets everything arrive; false when nothing was left to do. */
  rest(): boolean {
    if (this.#requests.length === 0 && this.#events.length === 0 && this.#pending === undefined) return false;
    this.#deliver();
    this.#decide(true);
    this.#hear();
    return true;
  }

  take(input: ConfigInput): void {
    const { state, effects } = reduceConfig(this.config, input, 1);
    this.config = state;
    for (const effect of effects) {
      if (effect.kind === 'withdraw') this.#requests = [];
      else if (effect.kind === 'request') {
        const desired = effect.request.payload as ConfigDesired;
        this.versions.push(desired.version);
        this.#requests.push(desired);
      }
    }
  }

  #deliver(): void {
    const request = this.#requests.shift();
    if (request === undefined) return;
    this.take({ kind: 'delivered', version: request.version });
    if (request.version > Math.max(this.#decided, this.#pending?.version ?? 0)) this.#pending = request;
  }

  #decide(takes: boolean): void {
    const desired = this.#pending;
    if (desired === undefined) return;
    this.#pending = undefined;
    this.#decided = desired.version;
    if (takes) {
      this.document = desired.document as Record<string, number>;
      this.#revision += 1;
      this.#taken = desired.version;
    }
    this.#tell(takes ? 'applied' : 'rejected', desired.version);
  }

  #tell(state: ConfigEvent['state'], desiredVersion: number): void {
    const document = this.#revision === 0 ? null : this.document;
    this.#events.push({ name: 'limits', revision: this.#revision, desiredVersion, document, state });
  }

  #hear(): void {
    const event = this.#events.shift();
    if (event !== undefined) this.take({ kind: 'report', event });
  }
}

function requestRow(effects: readonly Effect[], row: number): RequestRow {
  const payload = JSON.stringify(sentBy(effects));
  const type = 'config.desired';
  return { row, deviceId: 'gw-1', lane: 0, type, key: 'limits', payload, createdAtMs: 0, expiresAtMs: 1 };
}

function related(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
