import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOpen, nextClosing, nextOpening, windowProblem, type Window } from '../../../src/window/index.ts';
import { modelOf, type ModelCron, wallsOf } from './window-model.ts';

const minuteMs = 60_000;

/** Changes of the clocks: spring and autumn of each zone. */
const changes = [
  ['Europe/Berlin', '2026-03-29T01:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00Z'],
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Pacific/Chatham', '2026-04-04T14:00Z'],
  ['Pacific/Chatham', '2026-09-26T14:00Z'],
] as const;

const at = (iso: string): number => Date.parse(iso);
const nightly = (zone: string, cron = '30 2 * * *', durationSeconds = 3600): Window => ({
  cron,
  durationSeconds,
  zone,
});

const numbers = (min: number, max: number) =>
  fc
    .uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 3 })
    .map((list) => list.toSorted((a, b) => a - b));
const model: fc.Arbitrary<ModelCron> = fc.oneof(
  fc.record({ minutes: numbers(0, 59), hours: numbers(0, 5) }),
  fc.record({ minutes: numbers(0, 59), hours: fc.constant(undefined) }),
);
const durationMinutes = fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 90, max: 2000 }));

describe.each(changes)('a window in %s around %s', (zone, change) => {
  it('is open, opens and closes as a model says that looks at every minute', () => {
    const startMs = at(change) - 2 * 86_400_000;
    const walls = wallsOf(zone, startMs, 6 * 1440);
    fc.assert(
      fc.property(model, durationMinutes, fc.integer({ min: 2160, max: 3600 }), (cron, minutes, offset) => {
        const window: Window = { cron: cronText(cron), durationSeconds: minutes * 60, zone };
        const open = modelOf(cron, minutes, walls);
        const nowMs = startMs + offset * minuteMs;
        expect(isOpen(window, nowMs)).toBe(open[offset]);
        expect(isOpen(window, nowMs + 59_999)).toBe(open[offset]);
        const opening = nextEdge(open, offset, true);
        if (opening !== undefined) expect(nextOpening(window, nowMs)).toBe(startMs + opening * minuteMs);
        const from = open[offset] === true ? offset : nextEdge(open, offset, true);
        const closing = from === undefined ? undefined : nextEdge(open, from, false);
        if (closing !== undefined) expect(nextClosing(window, nowMs)).toBe(startMs + closing * minuteMs);
      }),
      { numRuns: 60, seed: 20_261_126 },
    );
  });
});

/** The first minute after this one in which it is so, and was not the minute before. */
function nextEdge(open: readonly boolean[], after: number, wanted: boolean): number | undefined {
  for (let minute = after + 1; minute < open.length; minute += 1) {
    if (open[minute] === wanted && open[minute - 1] !== wanted) return minute;
  }
  return undefined;
}

function cronText({ minutes, hours }: ModelCron): string {
  return `${minutes.join(',')} ${hours?.join(',') ?? '*'} * * *`;
}

describe('a window', () => {
  it('opens at the end of an hour that is skipped, and stays open for its whole duration', () => {
    const window = nightly('Europe/Berlin');
    expect(nextOpening(window, at('2026-03-28T12:00Z'))).toBe(at('2026-03-29T01:00Z'));
    expect(isOpen(window, at('2026-03-29T01:59Z'))).toBe(true);
    expect(isOpen(window, at('2026-03-29T02:00Z'))).toBe(false);
  });

  it('opens once in an hour that comes twice', () => {
    const window = nightly('America/New_York', '30 1 * * *', 1800);
    expect(isOpen(window, at('2026-11-01T05:30Z'))).toBe(true);
    expect(isOpen(window, at('2026-11-01T06:30Z'))).toBe(false);
    expect(nextOpening(window, at('2026-11-01T05:30Z'))).toBe(at('2026-11-02T06:30Z'));
  });

  it('has the closing instant outside and the opening instant inside', () => {
    const window = nightly('UTC');
    expect(isOpen(window, at('2026-06-01T02:30Z') - 1)).toBe(false);
    expect(isOpen(window, at('2026-06-01T02:30Z'))).toBe(true);
    expect(isOpen(window, at('2026-06-01T03:30Z') - 1)).toBe(true);
    expect(isOpen(window, at('2026-06-01T03:30Z'))).toBe(false);
  });

  it("is read on the device's own clock, and is closed where that is not known", () => {
    const window = nightly('device');
    expect(isOpen(window, at('2026-06-01T00:45Z'), 'Europe/Berlin')).toBe(true);
    expect(isOpen(window, at('2026-06-01T00:45Z'), 'UTC')).toBe(false);
    expect(isOpen(window, at('2026-06-01T00:45Z'))).toBe(false);
    expect(isOpen(window, at('2026-06-01T00:45Z'), 'Mars/Olympus')).toBe(false);
    expect(nextOpening(window, at('2026-06-01T00:45Z'))).toBeUndefined();
  });

  it('never closes when its openings run into each other', () => {
    const window = nightly('UTC', '0 * * * *', 3600);
    expect(isOpen(window, at('2026-06-01T02:30Z'))).toBe(true);
    expect(nextClosing(window, at('2026-06-01T02:30Z'))).toBeUndefined();
    expect(nextOpening(window, at('2026-06-01T02:30Z'))).toBeUndefined();
  });

  it('says what makes it useless', () => {
    const nowMs = at('2026-06-01T00:00Z');
    expect(windowProblem(nightly('device'), nowMs)).toBeUndefined();
    expect(windowProblem(nightly('Europe/Berlin'), nowMs)).toBeUndefined();
    expect(windowProblem(nightly('Mars/Olympus'), nowMs)).toMatchObject({ field: 'zone', seen: 'Mars/Olympus' });
    expect(windowProblem(nightly('UTC', '61 * * * *'), nowMs)).toMatchObject({ field: 'cron' });
    expect(windowProblem(nightly('UTC', '0 0 31 2 *'), nowMs)).toMatchObject({ field: 'cron' });
    expect(windowProblem(nightly('UTC', '0 0 2 * * *'), nowMs)).toMatchObject({ field: 'cron' });
  });
});
