import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../src/cli/duration.ts';
import { formatAge, formatBytes, formatDuration, formatTime, plural } from '../../../src/cli/human.ts';

describe('numbers as a person reads them', () => {
  it('shows bytes in the largest unit that fits, with one decimal below ten', () => {
    const shown = [0, 999, 1023, 1024, 1500, 10_240, 1_048_575, 1_048_576, 12_582_912, 5 * 1024 ** 4].map(formatBytes);
    expect(shown).toEqual([
      '0 B',
      '999 B',
      '1023 B',
      '1.0 KiB',
      '1.5 KiB',
      '10 KiB',
      '1.0 MiB',
      '1.0 MiB',
      '12 MiB',
      '5.0 TiB',
    ]);
  });

  it('shows durations in two units at most', () => {
    const shown = [0, 449, 9_900, 12_000, 60_000, 200_000, 7_500_000, 90_000_000].map(formatDuration);
    expect(shown).toEqual(['0.0s', '0.4s', '9.9s', '12s', '1m', '3m20s', '2h5m', '1d1h']);
  });

  it('shows past, future and never', () => {
    expect([formatAge(1000, 201_000), formatAge(61_000, 1000), formatAge(1000, 1500), formatAge(undefined, 0)]).toEqual(
      ['3m20s ago', 'in 1m', 'now', 'never'],
    );
  });

  it('shows UTC times, and numbers that are no times as they are', () => {
    expect(formatTime(Date.UTC(2026, 10, 22, 21, 30, 5, 123))).toBe('2026-11-22 21:30:05Z');
    expect(formatTime(9e20)).toBe('900000000000000000000');
    expect([plural(1, 'device'), plural(0, 'device')]).toEqual(['1 device', '0 devices']);
  });
});

describe('durations that a person writes', () => {
  it.each([
    ['90', 90],
    ['0.5', 0.5],
    ['90s', 90],
    ['500ms', 0.5],
    ['1h30m', 5400],
    ['2d', 172_800],
    ['1w', 604_800],
  ])('reads %s as %d seconds', (text, seconds) => expect(parseDuration(text, '--timeout')).toBeCloseTo(seconds));

  it.each(['', '-5', '5 m', 'm', '5x', '1h30', 'soon', '1e3'])('refuses %j and names the flag', (text) => {
    expect(() => parseDuration(text, '--timeout')).toThrow('--timeout is not a duration');
  });

  it('reads back what it shows, to the second unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (seconds) => {
        const read = parseDuration(formatDuration(seconds * 1000), '--x');
        const slack = seconds >= 86_400 ? 3600 : seconds >= 3600 ? 60 : 0.06;
        expect(Math.abs(read - seconds)).toBeLessThan(slack + 0.001);
      }),
    );
  });
});
