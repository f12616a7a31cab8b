import { describe, expect, it } from 'vitest';
import { TrustedClock } from '../../../src/agent/time/trusted-clock.ts';
import type { Clock } from '../../../src/clock.ts';

const dayMs = 86_400_000;
const now = Date.UTC(2026, 10, 26);
const maxSkewMs = 120_000;

/** A machine: its clock and the time since its start are moved by hand; what it keeps outlives a restart. */
function machine(rtcMs: number) {
  const kept = new Map<string, string>();
  const at = { rtcMs, monotonicMs: 0 };
  const clock: Clock = { nowMs: () => at.rtcMs, monotonicMs: () => at.monotonicMs, schedule: () => () => undefined };
  const values = {
    get: (name: string) => kept.get(name),
    set: (name: string, value: string) => void kept.set(name, value),
  };
  return {
    boot(rtcNowMs: number) {
      Object.assign(at, { rtcMs: rtcNowMs, monotonicMs: 0 });
      return new TrustedClock({ clock, values, maxSkewMs });
    },
    pass(ms: number) {
      at.rtcMs += ms;
      at.monotonicMs += ms;
    },
    setRtc: (ms: number) => void (at.rtcMs = ms),
  };
}

describe('the time that an agent goes by', () => {
  it('is its own clock while nobody says otherwise, and while signed time agrees', () => {
    const box = machine(now);
    const time = box.boot(now);
    expect(time.reading()).toEqual({ source: 'rtc', nowMs: now, rtcMs: now, floorMs: 0 });
    expect(time.learn(now + 60_000)).toBe(true);
    expect(time.reading()).toMatchObject({ source: 'rtc', nowMs: now + 60_000 }); // its floor
    box.pass(dayMs);
    expect(time.reading()).toMatchObject({ source: 'rtc', nowMs: now + dayMs });
  });

  it.each([
    ['1970', 0],
    ['2038', Date.UTC(2038, 0, 20)],
  ])('is signed time when its own clock says %s, whatever that clock does then', (_, rtcMs) => {
    const box = machine(rtcMs);
    const time = box.boot(rtcMs);
    expect(time.agreesWith(now)).toBe(false);
    time.learn(now);
    box.pass(5_000);
    expect(time.reading()).toMatchObject({ source: 'signed', nowMs: now + 5_000 });
    box.setRtc(rtcMs + 99 * dayMs);
    expect(time.nowMs()).toBe(now + 5_000);
    box.setRtc(now + 5_001); // somebody sets it right
    expect(time.reading()).toMatchObject({ source: 'rtc', nowMs: now + 5_001 });
  });

  it('goes on after a restart: as wrong as before, set right, or lost', () => {
    const box = machine(0);
    box.boot(0).learn(now);
    expect(box.boot(dayMs).reading()).toMatchObject({ source: 'signed', nowMs: now + dayMs });
    expect(box.boot(now + dayMs).reading()).toMatchObject({ source: 'rtc', nowMs: now + dayMs });
    const lost = box.boot(-1_000_000);
    box.pass(3_000);
    expect(lost.reading()).toMatchObject({ source: 'floor', nowMs: now + 3_000 });
    // No better known: it can't be called agreement with anything.
    expect(lost.agreesWith(now + 3_000)).toBe(false);
  });

  it('believes an early time of a clock that runs ahead: it may have been set right', () => {
    const ahead = Date.UTC(2038, 0, 20);
    const box = machine(ahead);
    box.boot(ahead).learn(now);
    expect(box.boot(ahead + dayMs).reading()).toMatchObject({ source: 'signed', nowMs: now + dayMs });
    // Set right, or lost: the floor is the least that can be wrong.
    expect(box.boot(now + dayMs).reading()).toMatchObject({ source: 'floor', nowMs: now });
  });

  it('never goes behind its floor, which only what was signed can raise', () => {
    const box = machine(now);
    const time = box.boot(now);
    time.raiseFloor();
    expect(time.reading().floorMs).toBe(0); // nobody but its own clock has said so
    time.learn(now);
    box.pass(dayMs);
    time.raiseFloor();
    expect(time.reading().floorMs).toBe(now + dayMs);
    expect(time.learn(now + dayMs - maxSkewMs - 1)).toBe(false);
    expect(time.learn(now + dayMs - maxSkewMs)).toBe(true);
    expect(time.nowMs()).toBeGreaterThanOrEqual(now + dayMs);
    expect(box.boot(0).nowMs()).toBe(now + dayMs);
  });

  it('is reset by an order that is newer than the last one, and behind what it knows, once', () => {
    const box = machine(now);
    const time = box.boot(now);
    expect(time.reset(now)).toContain('nothing to reset');
    time.learn(now + 900 * dayMs);
    expect(time.reset(now)).toBeUndefined();
    expect(time.reading()).toMatchObject({ source: 'rtc', nowMs: now, floorMs: now });
    expect(time.learn(now)).toBe(true);
    time.learn(now + 900 * dayMs);
    expect(time.reset(now)).toContain('was taken before');
    expect(time.reset(now - 1)).toContain('was taken before');
    expect(box.boot(now).reset(now)).toContain('was taken before');
    expect(box.boot(now).reset(now + 1)).toBeUndefined();
  });
});
