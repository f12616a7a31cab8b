import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepaliveInterval } from '../../../src/session/keepalive-interval.ts';

const minute = 60_000;
const option = { startMs: 4 * minute, minMs: 0.5 * minute, maxMs: 28 * minute };

/** Silences one after another through a NAT that forgets after `natMs`; returns each with what became of it. */
function live(interval: KeepaliveInterval, natMs: number, rounds: number, capMs = Infinity) {
  return Array.from({ length: rounds }, () => {
    const idleMs = Math.min(interval.currentMs, capMs);
    const lost = idleMs >= natMs;
    if (lost) interval.lost(idleMs);
    else interval.proved(idleMs, interval.nextMs(idleMs, capMs));
    return { idleMs, lost };
  });
}

describe('the silence that a way bears', () => {
  it('grows by half up to the most while pings are answered', () => {
    const seen = live(new KeepaliveInterval(option), Infinity, 7).map(({ idleMs }) => idleMs / minute);
    expect(seen).toEqual([4, 6, 9, 13.5, 20.25, 28, 28]);
  });

  it('goes back to the last good one when the link is found dead, and stays there', () => {
    const seen = live(new KeepaliveInterval(option), 10 * minute, 8).map(({ idleMs }) => idleMs / minute);
    expect(seen).toEqual([4, 6, 9, 13.5, 9, 9, 9, 9]);
  });

  it('shrinks when even the first one kills the link', () => {
    const seen = live(new KeepaliveInterval(option), 2 * minute, 5).map(({ lost }) => lost);
    expect(seen).toEqual([true, true, false, false, false]);
  });

  it('for every NAT and bound: within the bounds, never twice the same death, at rest below the NAT', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 * minute }),
        fc.integer({ min: 1, max: 40 * minute }),
        fc.integer({ min: 2_000, max: 60 * minute }),
        fc.oneof(fc.constant(Infinity), fc.integer({ min: 1_000, max: 40 * minute })),
        (startMs, maxMs, natMs, capMs) => {
          const minMs = 1_000;
          const interval = new KeepaliveInterval({ startMs, minMs, maxMs: Math.max(minMs, maxMs) });
          const seen = live(interval, natMs, 60, capMs);
          for (const { idleMs } of seen) {
            expect(idleMs).toBeGreaterThanOrEqual(Math.min(minMs, capMs));
            expect(idleMs).toBeLessThanOrEqual(Math.min(Math.max(minMs, maxMs), capMs));
          }
          const deaths = seen.filter(({ lost }) => lost).map(({ idleMs }) => idleMs);
          expect(new Set(deaths).size).toBe(deaths.length);
          expect(seen.slice(30).some(({ lost }) => lost)).toBe(false);
        },
      ),
    );
  });

  it('follows a way that gets worse', () => {
    const interval = new KeepaliveInterval(option);
    live(interval, Infinity, 6);
    const seen = live(interval, minute, 20);
    expect(seen.at(-1)!.lost).toBe(false);
    expect(interval.currentMs).toBeLessThan(minute);
  });
});
