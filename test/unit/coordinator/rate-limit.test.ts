import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressKey, RateLimiter, type RateLimited } from '../../../src/coordinator/operator/rate-limit.ts';

const refusal = (act: () => void): RateLimited | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    return error as RateLimited;
  }
};

describe('a rate limiter', () => {
  it('gives a burst, then so many a second, and says when to come back', () => {
    const limiter = new RateLimiter({ perSecond: 2, burst: 4 });
    for (let index = 0; index < 4; index += 1) limiter.take('a', 1, 0);
    const refused = refusal(() => limiter.take('a', 1, 0));
    expect([refused?.code, refused?.fault, refused?.retryAfterSeconds]).toEqual(['rate-limited', 'refused', 1]);
    expect(refusal(() => limiter.take('b', 4, 0))).toBeUndefined();
    expect(refusal(() => limiter.take('a', 1, 400))).toBeDefined();
    expect(refusal(() => limiter.take('a', 1, 500))).toBeUndefined();
    expect(limiter.level('a', 60_000)).toBe(4);
  });

  it('never gives more than burst and rate allow, whatever the times', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 300 }),
        (perSecond, burst, gaps) => {
          const limiter = new RateLimiter({ perSecond, burst });
          let nowMs = 0;
          let given = 0;
          for (const gap of gaps) {
            nowMs += gap;
            if (refusal(() => limiter.take('a', 1, nowMs)) === undefined) given += 1;
            expect(given).toBeLessThanOrEqual(burst + (nowMs / 1000) * perSecond + 1e-6);
          }
        },
      ),
      { seed: 6 },
    );
  });

  it('lets nobody into debt for ever', () => {
    const limiter = new RateLimiter({ perSecond: 10, burst: 100 });
    for (let index = 0; index < 1_000; index += 1) limiter.charge('a', 50, 0);
    expect(limiter.level('a', 0)).toBe(-100);
    expect(refusal(() => limiter.take('a', 1, 0))?.retryAfterSeconds).toBe(11);
    expect(refusal(() => limiter.take('a', 1, 10_100))).toBeUndefined();
  });

  it('keeps a bounded number of keys, the latest', () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 }, 100);
    for (let index = 0; index < 10_000; index += 1) limiter.charge(`k${index}`, 1, 0);
    expect(limiter.size).toBe(100);
    expect(limiter.level('k9999', 0)).toBe(0);
    expect(limiter.level('k0', 0)).toBe(1);
  });

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('counts %s as %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});
