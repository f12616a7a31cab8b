import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../../src/agent/updater/token-bucket.ts';
import { HandClock } from '../../support/hand-clock.ts';

describe('the rate of a download', () => {
  it('is kept over any stretch of time, but for what a second may save up', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1_000, max: 1_000_000 }),
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 262_144 }), idleMs: fc.nat({ max: 5_000 }) }), {
          minLength: 2,
          maxLength: 30,
        }),
        async (rate, pieces) => {
          const time = new HandClock();
          const bucket = new TokenBucket(time, rate);
          const { signal } = new AbortController();
          const startMs = time.monotonicMs();
          let total = 0;
          for (const { bytes, idleMs } of pieces) {
            time.advance(idleMs);
            const taken = bucket.take(bytes, signal);
            const state = { done: false };
            void taken.then(() => (state.done = true));
            for (;;) {
              await Promise.resolve();
              await Promise.resolve();
              if (state.done) break;
              time.advance(100);
            }
            total += bytes;
            const allowed = rate + (rate * (time.monotonicMs() - startMs)) / 1_000;
            expect(total).toBeLessThanOrEqual(allowed + 1);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('ends with the download', async () => {
    const time = new HandClock();
    const bucket = new TokenBucket(time, 1_000);
    const stop = new AbortController();
    await bucket.take(1_000, stop.signal);
    const waiting = bucket.take(1_000, stop.signal);
    stop.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
  });
});
