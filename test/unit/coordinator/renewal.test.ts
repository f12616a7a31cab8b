import { describe, expect, it } from 'vitest';
import {
  isInFlight,
  maxAsks,
  mayAsk,
  reduceRenewal,
  renewalTable,
  renewedLifeMs,
  type RenewalInput,
} from '../../../src/coordinator/renewal/reduce-renewal.ts';
import { renewalStates, type RenewalRow } from '../../../src/store/row.ts';

const inputs: RenewalInput[] = [
  { kind: 'want', cause: 'rotation' },
  { kind: 'ask' },
  { kind: 'request', renewalId: '00', csr: 'x', authoritySha256: 'y', renews: 'aa' },
  { kind: 'issue', serial: 'bb' },
  { kind: 'fail', reason: 'no' },
];
const row = (over: Partial<RenewalRow> = {}): RenewalRow => ({
  deviceId: 'd',
  state: 'wanted',
  cause: 'operator',
  sinceMs: 0,
  asks: 0,
  ...over,
});
const minuteMs = 60_000;

describe('a renewal on the coordinator', () => {
  it('moves as its table says', () => {
    for (const state of [undefined, ...renewalStates]) {
      for (const input of inputs) {
        const before = state === undefined ? undefined : row({ state });
        const next = renewalTable[state ?? 'none'][input.kind];
        if (next === undefined) expect(() => reduceRenewal(before, 'd', input, 5)).toThrow(/can't happen/);
        else expect(reduceRenewal(before, 'd', input, 5).state).toBe(next);
      }
    }
  });

  it('is the same row when it is wanted once more, and counts anew after a failure', () => {
    const wanted = row({ asks: 3 });
    expect(reduceRenewal(wanted, 'd', { kind: 'want', cause: 'rotation' }, 5)).toBe(wanted);
    const failed = row({ state: 'failed', asks: 5, reason: 'no' });
    const again = reduceRenewal(failed, 'd', { kind: 'want', cause: 'rotation' }, 5);
    expect(again).toEqual(row({ cause: 'rotation', sinceMs: 5 }));
  });

  it('asks in growing intervals, so often and no more, and never for what the device has begun itself', () => {
    expect(mayAsk(row(), 0)).toBe(true);
    const failed = (asks: number, cause: RenewalRow['cause'] = 'rotation') => row({ state: 'failed', asks, cause });
    expect(mayAsk(failed(1), 5 * minuteMs - 1)).toBe(false);
    expect(mayAsk(failed(1), 5 * minuteMs)).toBe(true);
    expect(mayAsk(failed(2), 19 * minuteMs)).toBe(false);
    expect(mayAsk(failed(2), 20 * minuteMs)).toBe(true);
    expect(mayAsk(failed(maxAsks), 1e12)).toBe(false);
    expect(mayAsk(failed(1, 'due'), 1e12)).toBe(false);
    expect(mayAsk(row({ state: 'issued', asks: 1 }), 59 * minuteMs)).toBe(false);
    expect(mayAsk(row({ state: 'issued', asks: 1 }), 60 * minuteMs)).toBe(true);
    expect(mayAsk(row({ state: 'requested', asks: 1 }), 1e12)).toBe(false);
  });

  it('holds a place for two minutes', () => {
    expect(isInFlight(row({ state: 'asked' }), minuteMs)).toBe(true);
    expect(isInFlight(row({ state: 'asked' }), 2 * minuteMs)).toBe(false);
    expect(isInFlight(row(), 0)).toBe(false);
    expect(isInFlight(row({ state: 'failed' }), 0)).toBe(false);
  });

  it('gives as long a life as before, and at least a day', () => {
    expect(renewedLifeMs({ notBeforeMs: 0, notAfterMs: 90 * 86_400_000 })).toBe(90 * 86_400_000);
    expect(renewedLifeMs({ notBeforeMs: 0, notAfterMs: 60_000 })).toBe(86_400_000);
  });
});
