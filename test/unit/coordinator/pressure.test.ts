import { describe, expect, it } from 'vitest';
import { Pressure } from '../../../src/coordinator/core/pressure.ts';

describe('back-pressure of the store', () => {
  const pressure = (): Pressure => new Pressure(() => 0.5);

  it('asks the least urgent lanes to rest first, and control never', () => {
    const lanes = (waiting: number) => ([0, 1, 2, 3] as const).map((lane) => pressure().pauseMs(1, lane, waiting, 0));
    expect(lanes(2_048)).toEqual([undefined, undefined, undefined, undefined]);
    expect(lanes(2_049)).toEqual([undefined, undefined, undefined, 4_000]);
    expect(lanes(8_193)).toEqual([undefined, undefined, 4_000, 4_000]);
    expect(lanes(1e9)).toEqual([undefined, 4_000, 4_000, 4_000]);
  });

  it('asks once for each rest, each connection and lane for itself', () => {
    const one = pressure();
    expect(one.pauseMs(1, 3, 1e9, 0)).toBe(4_000);
    expect(one.pauseMs(1, 3, 1e9, 3_999)).toBeUndefined();
    expect(one.pauseMs(1, 2, 1e9, 3_999)).toBe(4_000);
    expect(one.pauseMs(2, 3, 1e9, 3_999)).toBe(4_000);
    expect(one.pauseMs(1, 3, 1e9, 4_000)).toBe(4_000);
    one.forget(1);
    expect(one.pauseMs(1, 3, 1e9, 4_001)).toBe(4_000);
  });

  it('cuts the credit of who sends while much waits, once, and gives it back when little does', () => {
    const one = pressure();
    expect(one.creditBytes(1, 1_024)).toBeUndefined();
    expect(one.creditBytes(1, 1_025)).toBe(32_768);
    expect(one.creditBytes(1, 9_999)).toBeUndefined();
    expect(one.creditBytes(2, 9_999)).toBe(32_768);
    expect(one.creditBytes(1, 256)).toBeUndefined();
    expect(one.creditBytes(1, 255)).toBe(Number.MAX_SAFE_INTEGER);
    expect(one.creditBytes(1, 255)).toBeUndefined();
    one.forget(2);
    expect(one.creditBytes(2, 0)).toBeUndefined();
  });

  it('spreads the rests over 2 to 6 seconds', () => {
    expect(new Pressure(() => 0).pauseMs(1, 3, 1e9, 0)).toBe(2_000);
    expect(new Pressure(() => 0.999).pauseMs(1, 3, 1e9, 0)).toBeLessThan(6_000);
  });
});
