import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryTimer } from '../../../src/agent/link/backoff.ts';
import { defaultBackoff } from '../../../src/agent/link/link-option.ts';

const dice = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 40 });
const rolling = (values: number[]): (() => number) => {
  let n = 0;
  return () => values[n++ % values.length]!;
};

describe('waiting between dials', () => {
  it('is uniform from 0.2 to 5 s at first, and never above 5 minutes', () => {
    fc.assert(
      fc.property(dice, (values) => {
        const timer = new RetryTimer(defaultBackoff, rolling(values));
        const waits = values.map(() => timer.nextMs(0));
        expect(waits[0]).toBeCloseTo(200 + values[0]! * 4_800, 6);
        for (const [n, wait] of waits.entries()) {
          expect(wait).toBeGreaterThanOrEqual(200);
          expect(wait).toBeLessThanOrEqual(Math.max(200, Math.min(300_000, n === 0 ? 5_000 : waits[n - 1]! * 3)));
        }
      }),
    );
  });

  it('grows while sessions are short, and starts over after a minute of stability', () => {
    const timer = new RetryTimer(defaultBackoff, () => 0.999);
    const first = timer.nextMs(0);
    timer.lived(59_999);
    const second = timer.nextMs(0);
    expect(second).toBeGreaterThan(2 * first);
    timer.lived(60_000);
    expect(timer.nextMs(0)).toBe(first);
  });

  it('takes the coordinator’s hint as the least', () => {
    fc.assert(
      fc.property(dice, fc.integer({ min: 1, max: 1e7 }), (values, hintMs) => {
        expect(new RetryTimer(defaultBackoff, rolling(values)).nextMs(hintMs)).toBeGreaterThanOrEqual(hintMs);
      }),
    );
  });
});
