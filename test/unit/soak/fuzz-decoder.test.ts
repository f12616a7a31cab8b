import { describe, expect, it } from 'vitest';
import { Dice } from '../../soak/dice.ts';
import { hoard, hoardVerdict } from '../../soak/hoard.ts';
import { checkBounds, fuzzDecoder, verdict } from '../../soak/fuzz-decoder.ts';

const run = (seed: number) => fuzzDecoder({ seconds: 60, seed, points: 1_500, onProgress: () => undefined });

describe('the fuzzing of the decoder', () => {
  it('gives the same for the same seed, and reaches every state', async () => {
    const [one, two] = [await run(11), await run(11)];
    expect(one.byState).toEqual(two.byState);
    expect(one.failures).toEqual([]);
    const seen = Object.values(one.byState);
    expect(seen.every(({ refused }) => refused > 0)).toBe(true);
    expect(seen.reduce((sum, { accepted }) => sum + accepted, 0)).toBeGreaterThan(100);
  });

  it('refuses every length that is too large before it takes memory for it', () => {
    for (const { refused, allocatedBytes } of Object.values(checkBounds())) {
      expect(refused).toBe(true);
      expect(allocatedBytes).toBeLessThan(1_048_576);
    }
  });

  it('fails when a point failed, when memory grew, when a bound did not hold', async () => {
    const good = await run(1);
    const failure = { seed: 5, state: 'live', reason: 'RangeError', hex: '' } as const;
    expect(verdict({ ...good, peakGrowthBytes: 0 })).toEqual([]);
    expect(verdict({ ...good, peakGrowthBytes: 0, failures: [failure] })).toEqual(['seed 5: RangeError']);
    expect(verdict({ ...good, peakGrowthBytes: 65 * 1024 * 1024 })).toHaveLength(1);
    const bounds = { bomb: { refused: false, allocatedBytes: 0 } };
    expect(verdict({ ...good, peakGrowthBytes: 0, bounds })).toHaveLength(1);
  });

  it('finds no way to make one reader hold more than it may', async () => {
    const seen = await hoard(new Dice(1));
    expect(hoardVerdict(seen)).toEqual([]);
    // The reader was used at all: its streams alone take some megabytes.
    expect(seen.heldBytes).toBeGreaterThan(1_000_000);
    expect(hoardVerdict({ ...seen, heldBytes: 12 * 1024 * 1024 })).toHaveLength(1);
  });

  it('throws dice that fill their range', () => {
    const dice = new Dice(3);
    const seen = new Set(Array.from({ length: 400 }, () => dice.below(10)));
    expect([...seen].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
