import { describe, expect, it } from 'vitest';
import { readEventFilter } from '../../../src/cli/event-filter.ts';
import { parseTime } from '../../../src/cli/time.ts';

const nowMs = Date.UTC(2026, 10, 22, 21, 30, 0);

describe('a time', () => {
  it('is an ISO time, a day, or how long ago', () => {
    expect(parseTime('2026-11-22T21:00:00Z', '--since', nowMs)).toBe(nowMs - 1_800_000);
    expect(parseTime('2026-11-22T22:00:00+01:00', '--since', nowMs)).toBe(nowMs - 1_800_000);
    expect(parseTime('2026-11-22', '--since', nowMs)).toBe(Date.UTC(2026, 10, 22));
    expect(parseTime('2h', '--since', nowMs)).toBe(nowMs - 7_200_000);
    expect(parseTime('90', '--since', nowMs)).toBe(nowMs - 90_000);
    expect(parseTime(undefined, '--since', nowMs)).toBeUndefined();
  });

  it.each(['yesterday', '2026-13-40', '2h-', '-2h', '', '2026-11-22T25:00:00Z'])('is not %j', (text) => {
    expect(() => parseTime(text, '--since', nowMs)).toThrow('--since');
  });
});

describe('the filter of the log', () => {
  it("means the coordinator's clock, or the device's", () => {
    expect(readEventFilter({ since: '2h', type: 'a.*' }, nowMs)).toEqual({ type: 'a.*', sinceMs: nowMs - 7_200_000 });
    expect(readEventFilter({ until: '1h', 'device-time': true }, nowMs)).toEqual({ deviceUntilMs: nowMs - 3_600_000 });
  });

  it('refuses a time that ends before it begins', () => {
    expect(() => readEventFilter({ since: '1h', until: '2h' }, nowMs)).toThrow('--since is not before --until');
  });
});
