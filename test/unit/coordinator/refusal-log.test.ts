import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/clock.ts';
import { RefusalLog, type Refusal } from '../../../src/coordinator/audit/refusal-log.ts';
import type { CoreState } from '../../../src/coordinator/core/core-state.ts';
import { Turn } from '../../../src/coordinator/core/turn.ts';
import type { GatewayPort } from '../../../src/coordinator/gateway/port.ts';
import { createLog } from '../../../src/log.ts';
import type { AuditRow } from '../../../src/store/index.ts';

/** Rows as the core would write them, under a clock that is moved by hand. */
function bench() {
  const rows: AuditRow[] = [];
  let nowMs = 0;
  const timers = new Map<() => void, number>();
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    schedule(delayMs, fn) {
      timers.set(fn, nowMs + delayMs);
      return () => void timers.delete(fn);
    },
  };
  const log = new RefusalLog({
    core: {
      async submit(input) {
        const turn = new Turn({} as CoreState, () => ({}) as GatewayPort, nowMs);
        const value = input(turn);
        for (const write of turn.writes) if (write.kind === 'audit') rows.push(write.audit);
        return value;
      },
    },
    clock,
    log: createLog({ name: 'test', level: 'silent' }),
  });
  const pass = (ms: number): void => {
    nowMs += ms;
    for (const [fn, atMs] of timers) {
      if (atMs > nowMs) continue;
      timers.delete(fn);
      fn();
    }
  };
  return { log, rows, pass, timers };
}

const refusal = (over: Partial<Refusal> = {}): Refusal => ({
  actor: 'operator:ben',
  role: 'viewer',
  from: '198.51.100.9',
  action: 'POST /v1/certificates/revoke',
  subject: '',
  result: 'forbidden',
  code: 'role-forbidden',
  message: 'your role may not do this',
  ...over,
});

describe('refused attempts', () => {
  it('are told at once, and once a minute when they come again', () => {
    const { log, rows, pass } = bench();
    for (let n = 0; n < 1_000; n += 1) log.note(refusal());
    expect(rows).toMatchObject([{ actor: 'operator:ben', result: 'forbidden', code: 'role-forbidden' }]);
    pass(60_000);
    expect(rows.map(({ detail }) => detail)).toEqual([
      { message: 'your role may not do this' },
      { message: 'your role may not do this', more: 999 },
    ]);
    pass(3_600_000);
    expect(rows).toHaveLength(2);
    log.note(refusal());
    expect(rows).toHaveLength(3);
  });

  it('are bounded, however many ask and however they vary it', () => {
    const { log, rows, pass } = bench();
    const hours = 10;
    let sent = 0;
    for (let minute = 0; minute < hours * 60; minute += 1) {
      for (let n = 0; n < 500; n += 1) {
        sent += 1;
        log.note(refusal({ actor: `operator:m-${minute}-${n}`, from: `2001:db8::${n}` }));
      }
      pass(60_000);
    }
    expect(rows.length).toBeLessThan(hours * 60 * 21 + 200);
    const counted = rows.reduce((sum, { action, detail }) => {
      return sum + (action === 'refused.others' ? (detail as { attempts: number }).attempts : 1);
    }, 0);
    expect(counted).toBe(sent); // folded, never forgotten
  });

  it('are all told at the stop', async () => {
    const { log, rows, timers } = bench();
    for (let n = 0; n < 3; n += 1) log.note(refusal());
    await log.stop();
    expect(rows.at(-1)!.detail).toMatchObject({ more: 2 });
    expect(timers.size).toBe(0);
  });
});
