/** Times of schedules over changes of the clocks, and what becomes of them while the coordinator is away. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Trigger } from '../../../src/client/contract/schedule.ts';
import { nextTime, readTrigger } from '../../../src/coordinator/schedule/next-time.ts';
import { lateMs, meetOverlap, pause, resume, takeDue } from '../../../src/coordinator/schedule/reduce-schedule.ts';
import type { ScheduleDocument } from '../../../src/coordinator/schedule/schedule-document.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** Around both changes of 2026 in each zone. Chatham's clocks stand on three quarters of an hour. */
const changes = [
  ['Europe/Berlin', '2026-03-29', '2026-10-25'],
  ['America/New_York', '2026-03-08', '2026-11-01'],
  ['Pacific/Chatham', '2026-09-27', '2026-04-05'],
] as const;

interface Wall {
  date: string;
  minute: number;
}

/** What a clock on a wall of the zone shows. */
function wallClock(zone: string): (ms: number) => Wall {
  const format = new Intl.DateTimeFormat('sv', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  return (ms) => {
    const [date, time] = format.format(ms).split(' ') as [string, string];
    const [hour, minute] = time.split(':').map(Number) as [number, number];
    return { date, minute: hour * 60 + minute };
  };
}

/** Every minute that passes, in order, from two days before the change until two days after it. */
function minutesAround(zone: string, date: string): { atMs: number; wall: Wall }[] {
  const wall = wallClock(zone);
  const from = Date.parse(`${date}T00:00:00Z`) - 2 * dayMs;
  return Array.from({ length: 4 * 1_440 }, (_, n) => ({ atMs: from + n * minuteMs, wall: wall(from + n * minuteMs) }));
}

function timesOf(trigger: Trigger, fromMs: number, toMs: number): number[] {
  const times: number[] = [];
  for (let at = nextTime(trigger, fromMs - 1); at !== undefined && at <= toMs; at = nextTime(trigger, at))
    times.push(at);
  return times;
}

describe('times of a schedule', () => {
  const cases = changes.flatMap(([zone, ...dates]) => dates.map((date) => ({ zone, date })));

  it.each(cases)('a daily time comes once a day in $zone around $date', ({ zone, date }) => {
    const minutes = minutesAround(zone, date);
    const clock = wallClock(zone);
    const byDate = Map.groupBy(minutes, ({ wall }) => wall.date);
    const [first, last] = [minutes[0]!, minutes.at(-1)!];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), (hour, minute) => {
        const wanted = hour * 60 + minute;
        const dates = [...byDate.keys()].slice(1, -1); // those that are whole
        // Model: the first minute of the day that shows the time, or has passed it.
        const model = dates.map((day) => byDate.get(day)!.find(({ wall }) => wall.minute >= wanted)!.atMs);
        const times = timesOf({ kind: 'cron', cron: `${minute} ${hour} * * *`, zone }, first.atMs, last.atMs);
        expect(times.filter((at) => dates.includes(clock(at).date))).toEqual(model);
      }),
      {
        numRuns: 25,
        seed: 5,
        examples: [
          [2, 30],
          [2, 45],
          [3, 0],
          [1, 30],
          [3, 45],
        ],
      },
    );
  });

  it.each(cases)('a time with a wildcard comes whenever it is shown in $zone around $date', ({ zone, date }) => {
    const minutes = minutesAround(zone, date);
    const [first, last] = [minutes[0]!, minutes.at(-1)!];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 59 }), (minute) => {
        const model = minutes.filter(({ wall }) => wall.minute % 60 === minute).map(({ atMs }) => atMs);
        expect(timesOf({ kind: 'cron', cron: `${minute} * * * *`, zone }, first.atMs, last.atMs)).toEqual(model);
      }),
      { numRuns: 6, seed: 5 },
    );
  });

  it('refuses what is no expression, never comes, or is in no zone', () => {
    const cron = (text: string, zone = 'UTC') => readTrigger({ kind: 'cron', cron: text, zone }, 0);
    for (const bad of ['x', '61 * * * *', '* * * *', '* * * * * *', '0 0 31 2 *']) {
      expect(() => cron(bad)).toThrow(expect.objectContaining({ code: 'schedule-cron', fault: 'usage' }));
    }
    expect(() => cron('0 0 * * *', 'Europe/Bremen')).toThrow(expect.objectContaining({ code: 'schedule-zone' }));
  });

  it('takes a wall-clock time of a zone, and none that is over', () => {
    const at = (text: string, zone: string) => readTrigger({ kind: 'at-local', at: text, zone }, Date.UTC(2026, 0, 1));
    expect(at('2026-07-01T03:00', 'Europe/Berlin')).toEqual({ kind: 'at', atMs: Date.UTC(2026, 6, 1, 1) });
    expect(() => at('2025-07-01T03:00', 'UTC')).toThrow(expect.objectContaining({ code: 'schedule-time' }));
    expect(() => at('2026-02-31T03:00', 'UTC')).toThrow(expect.objectContaining({ code: 'schedule-time' }));
  });
});

const hourly: Trigger = { kind: 'cron', cron: '0 * * * *', zone: 'UTC' };
const schedule = (over: Partial<ScheduleDocument> = {}): ScheduleDocument => ({
  name: 's',
  state: 'active',
  trigger: hourly,
  missed: 'skip',
  job: { selector: '*', action: { kind: 'ping' } },
  expected: { matched: 1, fleet: 1 },
  createdBy: 'local:0',
  createdAtMs: 0,
  nextAtMs: 3_600_000,
  firings: [],
  ...over,
});

describe('a schedule', () => {
  it('fires each time once, and makes up for what it missed as it was told to', () => {
    // Looks every now and then; a long pause between two looks is a coordinator that was down.
    const pauses = fc.array(fc.oneof(fc.integer({ min: 1, max: 50_000 }), fc.integer({ min: 1, max: 5 * 3_600_000 })), {
      minLength: 1,
      maxLength: 120,
    });
    fc.assert(
      fc.property(pauses, fc.constantFrom<'skip' | 'once'>('skip', 'once'), (waits, missed) => {
        let document = schedule({ missed });
        let nowMs = 0;
        const fired: number[] = [];
        let skipped = 0;
        for (const wait of waits) {
          const lookedMs = nowMs;
          nowMs += wait;
          const due = Array.from(
            { length: Math.floor(nowMs / 3_600_000) - Math.floor(lookedMs / 3_600_000) },
            (_, n) => (Math.floor(lookedMs / 3_600_000) + 1 + n) * 3_600_000,
          );
          const step = takeDue(document, nowMs);
          expect(step !== undefined).toBe(due.length > 0);
          if (step === undefined) continue;
          const fresh = due.filter((at) => nowMs - at <= lateMs);
          expect(step.fire?.dueAtMs).toBe(missed === 'once' ? due[0] : fresh.at(-1));
          skipped += missed === 'once' || fresh.length === due.length ? 0 : due.length - fresh.length;
          if (step.fire !== undefined) fired.push(step.fire.dueAtMs);
          document = step.document;
          expect(takeDue(document, nowMs)).toBeUndefined();
          expect(document.nextAtMs).toBe((Math.floor(nowMs / 3_600_000) + 1) * 3_600_000);
        }
        expect(new Set(fired).size).toBe(fired.length);
        const noted = document.firings.filter(({ outcome }) => outcome === 'missed');
        expect(noted.reduce((sum, { times = 0 }) => sum + times, 0)).toBe(skipped);
      }),
      { numRuns: 200, seed: 11 },
    );
  });

  it('that fires once is done with', () => {
    const once = schedule({ trigger: { kind: 'at', atMs: 1_000 }, nextAtMs: 1_000 });
    expect(takeDue(once, 999)).toBeUndefined();
    const { document, fire } = takeDue(once, 1_000)!;
    expect([document.state, document.nextAtMs, fire]).toEqual(['done', undefined, { dueAtMs: 1_000 }]);
    const missed = takeDue(once, 1_000 + lateMs + 1)!;
    expect([missed.document.state, missed.fire]).toEqual(['done', undefined]);
  });

  it('that is paused is not due, and goes on with the next time to come', () => {
    const paused = pause(schedule());
    expect(takeDue(paused, 10 * 3_600_000)).toBeUndefined();
    expect(resume(paused, 10 * 3_600_000 + 1).nextAtMs).toBe(11 * 3_600_000);
    expect(resume(schedule(), 5)).toEqual(schedule());
  });
});

describe('a time at which devices work on the job before', () => {
  const fire = { dueAtMs: 1_000 };
  const overlapping = (over: Partial<ScheduleDocument>): ScheduleDocument => ({
    name: 's',
    state: 'active',
    trigger: { kind: 'cron', cron: '* * * * *', zone: 'UTC' },
    missed: 'skip',
    job: { selector: '*', action: { kind: 'ping' } },
    expected: { matched: 1, fleet: 1 },
    createdBy: 'local:0',
    createdAtMs: 0,
    nextAtMs: 60_000,
    firings: [],
    ...over,
  });

  it('is skipped, and the history says why', () => {
    const { document, fire: fired } = meetOverlap({ document: overlapping({ overlap: 'skip' }), fire }, 'j-1', 1_200);
    expect(fired).toBeUndefined();
    expect(document.firings).toEqual([{ dueAtMs: 1_000, firedAtMs: 1_200, outcome: 'skipped', jobId: 'j-1' }]);
    expect(meetOverlap({ document: overlapping({ overlap: 'skip' }), fire }, undefined, 1_200).fire).toEqual(fire);
  });

  it('waits, one at most, and its time is kept', () => {
    const waiting = meetOverlap({ document: overlapping({ overlap: 'queue' }), fire }, 'j-1', 1_000);
    expect([waiting.fire, waiting.document.waiting]).toEqual([undefined, fire]);
    const later = meetOverlap({ document: waiting.document, fire: { dueAtMs: 2_000 } }, 'j-1', 2_000);
    expect([later.fire, later.document.waiting]).toEqual([undefined, fire]);
    expect(later.document.firings).toMatchObject([{ dueAtMs: 2_000, outcome: 'skipped' }]);
    expect(meetOverlap({ document: later.document }, 'j-1', 3_000)).toEqual({ document: later.document });
    const free = meetOverlap({ document: later.document }, undefined, 4_000);
    expect([free.fire, free.document.waiting]).toEqual([fire, undefined]);
    // Two at once: the one that has waited goes, the new one waits.
    const both = meetOverlap({ document: later.document, fire: { dueAtMs: 5_000 } }, undefined, 5_000);
    expect([both.fire, both.document.waiting]).toEqual([fire, { dueAtMs: 5_000 }]);
    expect(pause(later.document).waiting).toBeUndefined();
  });

  it('starts beside it where that is allowed, and in a schedule of an earlier version', () => {
    for (const document of [overlapping({ overlap: 'allow' }), overlapping({})]) {
      expect(meetOverlap({ document, fire }, 'j-1', 1_000)).toEqual({ document, fire });
    }
  });
});
