import { describe, expect, it } from 'vitest';
import { retrySpread } from '../../../src/coordinator/gateway/retry-spread.ts';

describe('the spread of retry hints', () => {
  it('is what is configured, or grows with the connections of a gateway', () => {
    const all = (): number => 1;
    expect(retrySpread(700, 10_000, all)).toBe(700);
    expect(retrySpread('auto', 12, all)).toBe(5_000);
    expect(retrySpread('auto', 18_000, all)).toBe(90_000);
    expect(retrySpread('auto', 10_000_000, all)).toBe(600_000);
    expect(retrySpread('auto', 18_000, () => 0.5)).toBe(45_000);
  });
});
