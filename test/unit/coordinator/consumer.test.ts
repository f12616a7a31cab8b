import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextDelivery } from '../../../src/coordinator/consumer/next-delivery.ts';
import {
  entryOf,
  maxCrashes,
  maxFailures,
  newConsumer,
  reduceConsumer,
  type ConsumerEffect,
  type ConsumerInput,
} from '../../../src/coordinator/consumer/reduce-consumer.ts';
import type { ConsumerRow } from '../../../src/store/row.ts';

const fresh = newConsumer('billing', {}, 0, 0);

/** Several inputs, one after the other, with all that they wanted done. */
function run(consumer: ConsumerRow, ...inputs: ConsumerInput[]): { consumer: ConsumerRow; effects: ConsumerEffect[] } {
  const effects: ConsumerEffect[] = [];
  for (const input of inputs) {
    const step = reduceConsumer(consumer, input, 1_000);
    ({ consumer } = step);
    effects.push(...step.effects);
  }
  return { consumer, effects };
}

describe('a consumer', () => {
  it('comes as far as everything below is done, in whatever order it is answered', () => {
    const given = run(fresh, { kind: 'give', offsets: [2, 5, 7], upTo: 9 });
    expect(given.consumer).toMatchObject({ offset: 1, given: 9, open: [2, 5, 7] });
    const some = run(given.consumer, { kind: 'done', offset: 5 }, { kind: 'done', offset: 7 });
    expect(some.consumer.offset).toBe(1);
    expect(run(some.consumer, { kind: 'done', offset: 2 }).consumer).toMatchObject({ offset: 9, open: [] });
  });

  it('never goes back, but by a reset', () => {
    const { consumer } = run(fresh, { kind: 'ack', offset: 7 }, { kind: 'ack', offset: 3 });
    expect(consumer.offset).toBe(7);
    expect(run(consumer, { kind: 'skip', upTo: 5 }).consumer).toBe(consumer);
    expect(run(consumer, { kind: 'reset', offset: 2 }).consumer).toMatchObject({ offset: 2, given: 2 });
  });

  it('gives up what ended its handler three times, without giving it again', () => {
    const open = run(fresh, { kind: 'give', offsets: [1, 2], upTo: 2 }).consumer;
    const begun = { kind: 'begin', offset: 1 } as const;
    const crashed = { kind: 'crashed', offset: 1, error: 'exit 3' } as const;
    const twice = run(open, crashed, begun, crashed);
    expect(entryOf(twice.consumer, { offset: 1 })).toMatchObject({ crashes: 2 });
    const third = run(twice.consumer, begun, crashed);
    expect(third.effects).toMatchObject([{ kind: 'dead', offset: 1, code: 'crashed', tried: { crashes: 3 } }]);
    expect(third.consumer).toMatchObject({ offset: 1, open: [2], tried: [] });
  });

  it('counts an attempt before it begins: the end of every process at once is one', () => {
    let { consumer } = run(fresh, { kind: 'give', offsets: [1], upTo: 1 });
    for (let attempt = 1; attempt <= maxCrashes; attempt += 1) {
      const begun = run(consumer, { kind: 'begin', offset: 1 });
      expect(begun.effects).toEqual([]);
      ({ consumer } = begun); // and then nobody is left to say what came of it
    }
    const last = run(consumer, { kind: 'begin', offset: 1 });
    expect(last.effects).toMatchObject([{ kind: 'dead', code: 'crashed' }]);
    expect(last.consumer.offset).toBe(1);
  });

  it('takes an attempt back that was ended in good order', () => {
    const { consumer } = run(fresh, { kind: 'give', offsets: [1], upTo: 1 }, { kind: 'begin', offset: 1 });
    expect(run(consumer, { kind: 'released', offset: 1 }).consumer.tried).toEqual([]);
  });

  it('gives up what was refused five times, or once for good; an answer is no crash', () => {
    const refused = { kind: 'failed', offset: 1, error: 'no', retry: true } as const;
    let { consumer } = run(fresh, { kind: 'give', offsets: [1, 2], upTo: 2 }, refused);
    for (let failures = 2; failures < maxFailures; failures += 1) {
      ({ consumer } = run(consumer, { kind: 'begin', offset: 1 }, refused));
      expect(entryOf(consumer, { offset: 1 })).toMatchObject({ crashes: 0, failures });
    }
    expect(run(consumer, { kind: 'begin', offset: 1 }, refused).effects).toMatchObject([
      { kind: 'dead', offset: 1, code: 'failed' },
    ]);
    expect(run(consumer, { ...refused, offset: 2, retry: false }).effects).toMatchObject([{ kind: 'dead', offset: 2 }]);
  });

  it('delivers a replayed dead letter once, and says when it is done', () => {
    const past = run(fresh, { kind: 'ack', offset: 9 }).consumer;
    const replay = { kind: 'replay', offset: 4, letter: 12 } as const;
    const asked = run(past, replay, replay).consumer;
    expect(asked.tried).toHaveLength(1);
    const done = run(asked, { kind: 'begin', offset: 4, letter: 12 }, { kind: 'done', offset: 4, letter: 12 });
    expect(done.effects).toEqual([{ kind: 'replayed', letter: 12 }]);
    expect(done.consumer).toMatchObject({ offset: 9, tried: [] });
    expect(run(done.consumer, { kind: 'done', offset: 4, letter: 12 }).effects).toEqual([]);
  });

  it('changes nothing for what it does not have', () => {
    for (const kind of ['begin', 'done', 'released', 'lost'] as const)
      expect(run(fresh, { kind, offset: 3 }).consumer).toBe(fresh);
    expect(run(fresh, { kind: 'crashed', offset: 3, error: '' }).consumer).toBe(fresh);
  });
});

describe('what a handler gets next', () => {
  const state = { inFlight: new Set<number>(), alone: false, maxInFlight: 10, backoffMs: [100, 500] };

  it('is what was left open, one at a time and after its time, before anything new', () => {
    const { consumer } = run(fresh, { kind: 'give', offsets: [1, 2], upTo: 2 });
    expect(nextDelivery(consumer, state, 0)).toEqual({ kind: 'alone', offset: 1 });
    expect(nextDelivery(consumer, { ...state, inFlight: new Set([1]), alone: true }, 0)).toEqual({ kind: 'wait' });
    const crashed = run(consumer, { kind: 'crashed', offset: 1, error: '' }).consumer;
    expect(nextDelivery(crashed, state, 1_050)).toEqual({ kind: 'wait', untilMs: 1_100 });
    expect(nextDelivery(crashed, state, 1_100)).toEqual({ kind: 'alone', offset: 1 });
  });

  it('is as many new ones as there is room for', () => {
    const { consumer } = run(fresh, { kind: 'give', offsets: [1, 2], upTo: 2 });
    expect(nextDelivery(consumer, { ...state, inFlight: new Set([1, 2]) }, 0)).toEqual({ kind: 'fresh', room: 8 });
    expect(nextDelivery(consumer, { ...state, inFlight: new Set([1, 2]), maxInFlight: 2 }, 0)).toEqual({
      kind: 'wait',
    });
  });
});

describe('a consumer under any handler and any crash', () => {
  /** What happens to the row that is given: by the handler's nature, or because somebody pulls a plug. */
  const fate = fc.constantFrom('done', 'failed', 'final', 'crashed', 'killed', 'released');

  it('settles each row exactly once, in order when it is alone, and loses none', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fate, { maxLength: 60 }),
        (count, maxInFlight, fates) => {
          let consumer = newConsumer('c', {}, 0, 0);
          let inFlight = new Set<number>();
          let alone = false;
          const settled = new Map<number, string>();
          const runs = new Map<number, number>();
          let cursor = 0;
          const step = (input: ConsumerInput): void => {
            const result = reduceConsumer(consumer, input, 0);
            for (const effect of result.effects) {
              if (effect.kind !== 'dead') continue;
              expect(settled.has(effect.offset)).toBe(false);
              settled.set(effect.offset, 'dead');
            }
            ({ consumer } = result);
            expect(consumer.offset).toBeGreaterThanOrEqual(cursor);
            cursor = consumer.offset;
            // Nothing below the cursor is without an end.
            for (let offset = 1; offset <= cursor; offset += 1) expect(settled.has(offset)).toBe(true);
          };
          const end = (offset: number, how: string): void => {
            inFlight.delete(offset);
            if (how === 'done') {
              expect(settled.has(offset)).toBe(false);
              settled.set(offset, 'done');
              step({ kind: 'done', offset });
            } else if (how === 'failed' || how === 'final') {
              step({ kind: 'failed', offset, error: '', retry: how === 'failed' });
            } else if (how === 'crashed') {
              step({ kind: 'crashed', offset, error: '' });
              for (const other of inFlight) step({ kind: 'released', offset: other });
              inFlight = new Set();
            } else if (how === 'released') step({ kind: 'released', offset });
            else inFlight = new Set(); // every process at once: nobody says anything
          };
          const queue = [...fates];
          for (let turn = 0; turn < 1_000 && settled.size < count; turn += 1) {
            const next = nextDelivery(consumer, { inFlight, alone, maxInFlight, backoffMs: [] }, 0);
            if (next.kind === 'alone') {
              step({ kind: 'begin', offset: next.offset });
              if (settled.has(next.offset)) continue;
              runs.set(next.offset, (runs.get(next.offset) ?? 0) + 1);
              inFlight = new Set([next.offset]);
              alone = true;
            } else if (next.kind === 'fresh' && consumer.given < count) {
              const upTo = Math.min(count, consumer.given + next.room);
              const offsets = Array.from({ length: upTo - consumer.given }, (_, n) => consumer.given + n + 1);
              step({ kind: 'give', offsets, upTo });
              for (const offset of offsets) {
                inFlight.add(offset);
                runs.set(offset, (runs.get(offset) ?? 0) + 1);
              }
              alone = false;
            }
            const [first] = inFlight;
            if (first !== undefined) end(first, queue.shift() ?? 'done');
          }
          expect([...settled.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
          expect(consumer).toMatchObject({ offset: count, open: [], tried: [] });
          // What ends in a dead letter was not run without end.
          for (const [offset, how] of settled) {
            const released = fates.filter((one) => one === 'released').length;
            if (how === 'dead') expect(runs.get(offset)).toBeLessThanOrEqual(maxCrashes + maxFailures + 1 + released);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
