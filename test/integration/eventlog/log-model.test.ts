/**
 * The log against a model: random appends, rollbacks of its own transactions and of others', statements that fail and
 * are got over, deliveries, lost acknowledgements, sessions, crashes, a coordinator that is set back. Whatever happens, every number of a lane is one event or one reason, and the counters are what a scan says.
 */
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { storedBytesSql, type DeviceLogOption } from '../../../src/eventlog/log-limit.ts';
import {
  atomically,
  createDeviceLog,
  openDeviceDatabase,
  parseJsonRow,
  type DeviceLog,
} from '../../../src/eventlog/index.ts';
import type { GapEvent } from '../../../src/protocol/event.ts';
import type { Lane, Row } from '../../../src/protocol/lane.ts';
import type { GapReason } from '../../../src/protocol/message.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

interface Event {
  lane: Lane;
  type: string;
  key: string;
  size: number;
}

type Step =
  | { do: 'append'; events: Event[] }
  | { do: 'roll-back' | 'get-over'; events: Event[]; whose: 'the log' | 'another' }
  | { do: 'meet' | 'part' }
  | { do: 'deliver'; lane: Lane; rows: number; acknowledged: 'at once' | 'soon' | 'lost' }
  | { do: 'crash' }
  | { do: 'later'; ms: number }
  | { do: 'set-back'; to: number };

const lane = fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<Lane>;
const event = fc.record<Event>({
  lane,
  type: fc.constantFrom('reading', 'level', 'note'),
  key: fc.constantFrom('', 'a', 'b'),
  size: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 200, max: 900 })),
});
const events = fc.array(event, { minLength: 1, maxLength: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), events }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('roll-back' as const, 'get-over' as const),
      events,
      whose: fc.constantFrom('the log', 'another'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('meet' as const, 'meet' as const, 'part' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      lane,
      rows: fc.integer({ min: 1, max: 9 }),
      acknowledged: fc.constantFrom('at once', 'soon', 'lost'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'crash' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('later' as const), ms: fc.integer({ min: 1, max: 20_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set-back' as const), to: fc.integer({ min: 0, max: 30 }) }) },
);

const keep = { keepRows: 5, keepSeconds: 30, keepBytes: 900 };
const rules = new Map([
  ['level', { ...keep, latestOnly: true }],
  ['note', { keepRows: 0, keepSeconds: 0, keepBytes: 0, latestOnly: false }],
]);

/** What a coordinator has: of each lane its cursor, the rows and the reasons for those that will never come. */
class Receiver {
  readonly cursor = [0, 0, 0, 0];
  readonly rows = [0, 1, 2, 3].map(() => new Map<number, string>());
  readonly gaps = [0, 1, 2, 3].map(() => new Map<number, GapReason>());
  readonly droppedRanges: GapEvent[] = [];

  take(log: DeviceLog, from: Lane, maxRows: number): void {
    const { left, firstSeq, rows } = log.read(from, this.cursor[from]!, maxRows, 1e6);
    for (const { upToSeq, reason } of left) {
      expect(upToSeq).toBeGreaterThan(this.cursor[from]!);
      for (let seq = this.cursor[from]! + 1; seq <= upToSeq; seq += 1) this.gaps[from]!.set(seq, reason);
      this.cursor[from] = upToSeq;
    }
    if (rows.length > 0) expect(firstSeq).toBe(this.cursor[from]! + 1);
    for (const [n, row] of rows.entries()) {
      this.rows[from]!.set(firstSeq + n, textOf(row));
      if (row.type === 'flotilla.gap') this.droppedRanges.push(parseJsonRow(row) as GapEvent);
    }
    if (rows.length > 0) this.cursor[from] = firstSeq + rows.length - 1;
  }
}

/** One of the log, or one of whoever has the database. */
function transactionOf(
  whose: 'the log' | 'another',
  database: DatabaseSync,
  log: DeviceLog,
): (work: () => void) => void {
  return whose === 'the log' ? (work) => log.transact(work) : (work) => atomically(database, work);
}

function textOf({ type, key, payload }: Row): string {
  return `${type} ${key} ${Buffer.from(payload).toString()}`;
}

async function play(steps: readonly Step[], limits: Pick<DeviceLogOption, 'maxBytes'>): Promise<void> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'agent.db');
  let nowMs = 1_000_000;
  const option: DeviceLogOption = { ...limits, rules, defaultRule: { ...keep, latestOnly: false }, nowMs: () => nowMs };
  const open = (): DatabaseSync => {
    const opened = openDeviceDatabase(path);
    opened.exec('PRAGMA synchronous = OFF'); // it is a process that crashes here, not a machine
    return opened;
  };
  const openLog = (): DeviceLog => {
    const opened = createDeviceLog(database, option);
    // After the number was given and before the row is there.
    database.exec(`CREATE TEMP TRIGGER broken BEFORE INSERT ON outbox WHEN NEW.type = 'broken'
      BEGIN SELECT RAISE(FAIL, 'broken'); END`);
    return opened;
  };
  let database = open();
  let log = openLog();
  const receiver = new Receiver();
  const written = [0, 1, 2, 3].map(() => new Map<number, { text: string; event: Event }>());
  let serial = 0;
  let wasSetBack = false;

  const rowOf = ({ type, key, size }: Event): Row => {
    serial += 1;
    const payload = Buffer.from(`${serial} ${'x'.repeat(size)}`);
    return { type, key, timestampMs: nowMs, schema: 0n, payload };
  };
  for (const each of steps) {
    const fresh: { seq: number; row: Row; event: Event }[] = [];
    if (each.do === 'append') {
      const items = each.events.map((one) => ({ lane: one.lane, row: rowOf(one) }));
      let seqs: number[] | undefined;
      try {
        seqs = log.appendAll(items);
      } catch (error) {
        expect(error).toMatchObject({ code: 'eventlog-full' });
      }
      seqs?.forEach((seq, n) => {
        const own = written[items[n]!.lane]!;
        expect(own.has(seq)).toBe(false);
        own.set(seq, { text: textOf(items[n]!.row), event: each.events[n]! });
      });
    } else if (each.do === 'roll-back') {
      const before = { next: log.nextSeq(), state: log.state() };
      expect(() =>
        transactionOf(
          each.whose,
          database,
          log,
        )(() => {
          for (const one of each.events) log.append(one.lane, rowOf(one));
          throw new Error('undo');
        }),
      ).toThrow();
      expect(log.nextSeq()).toEqual(before.next);
      expect(log.state().lanes).toEqual(before.state.lanes);
    } else if (each.do === 'get-over') {
      try {
        transactionOf(
          each.whose,
          database,
          log,
        )(() => {
          for (const one of each.events) {
            expect(() => log.append(one.lane, { ...rowOf(one), type: 'broken' })).toThrow();
            const row = rowOf(one);
            const seq = log.append(one.lane, row);
            fresh.push({ seq, row, event: one });
          }
        });
        for (const { seq, row, event: of } of fresh) written[of.lane]!.set(seq, { text: textOf(row), event: of });
      } catch (error) {
        expect(error).toMatchObject({ code: 'eventlog-full' });
      }
    } else if (each.do === 'meet') {
      wasSetBack ||= log.meet(7n, receiver.cursor) === 'set-back';
    } else if (each.do === 'part') {
      log.part();
    } else if (each.do === 'deliver') {
      receiver.take(log, each.lane, each.rows);
      if (each.acknowledged === 'at once') log.acknowledge(each.lane, receiver.cursor[each.lane]!);
      else if (each.acknowledged === 'soon') {
        log.acknowledgeSoon(each.lane, receiver.cursor[each.lane]!);
        expect(log.ackedSeq()[each.lane]).toBeGreaterThanOrEqual(receiver.cursor[each.lane]!);
      }
    } else if (each.do === 'crash') {
      database.close();
      database = open();
      log = openLog();
    } else if (each.do === 'later') nowMs += each.ms;
    else if (each.do === 'set-back') {
      // A coordinator that was restored from a backup: what it has is older, and the reasons may be gone by now.
      receiver.cursor.forEach((seq, n) => (receiver.cursor[n] = Math.min(seq, each.to)));
      wasSetBack = true;
    }
    expectCounters(database, log);
    const waiting = log.state().lanes.reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
    const urgent = log.state().lanes[0]!.waitingBytes;
    // Two events that tell of what was given up may come on top.
    expect(waiting).toBeLessThanOrEqual(Math.max(limits.maxBytes ?? Infinity, urgent) + 512);
  }

  for (const each of [0, 1, 2, 3] as const) {
    while (receiver.cursor[each]! < log.nextSeq()[each]! - 1) receiver.take(log, each, 7);
    log.acknowledge(each, receiver.cursor[each]!);
    for (let n = 0; n < 20; n += 1) {
      // Retention goes on with every acknowledgement.
      log.append(each, rowOf({ lane: each, type: 'note', key: '', size: 0 }));
      receiver.take(log, each, 7);
      log.acknowledge(each, receiver.cursor[each]!);
    }
    for (const [seq, { text, event: of }] of written[each]!) {
      const stored = receiver.rows[each]!.get(seq);
      const reason = receiver.gaps[each]!.get(seq);
      if (stored !== undefined) expect(stored).toBe(text);
      else if (reason === 'superseded') {
        const newer = [...written[each]!].some(
          ([other, later]) => other > seq && later.event.type === of.type && later.event.key === of.key,
        );
        expect({ newer, latestOnly: of.type === 'level' }).toEqual({ newer: true, latestOnly: true });
      } else if (reason === 'disk-pressure') {
        expect(each).not.toBe(0);
        const said = receiver.droppedRanges.some((gap) => gap.lane === each && gap.fromSeq <= seq && seq <= gap.toSeq);
        expect(said).toBe(true);
      } else expect({ seq, reason, wasSetBack }).toEqual({ seq, reason: 'not-kept', wasSetBack: true });
    }
  }
  expectCounters(database, log);
  expect(log.state().lanes.map(({ waitingRows }) => waitingRows)).toEqual([0, 0, 0, 0]);
  for (const type of ['reading', 'level', 'note']) {
    for (const each of [0, 1, 2, 3]) {
      const kept = database
        .prepare(`SELECT count(*) AS rows, sum(${storedBytesSql}) AS bytes FROM outbox WHERE type = ? AND lane = ?`)
        .get(type, each)!;
      const rule = type === 'note' ? { keepRows: 0, keepBytes: 0 } : keep;
      expect(kept['rows']).toBeLessThanOrEqual(rule.keepRows);
      expect(kept['bytes'] ?? 0).toBeLessThanOrEqual(rule.keepBytes);
    }
  }
  database.close();
}

/** What is acknowledged and not on disk yet waits no more. */
function expectCounters(database: DatabaseSync, log: DeviceLog): void {
  const acked = log.ackedSeq();
  const scanned = database
    .prepare(
      `SELECT next_seq AS nextSeq, acked_seq AS writtenSeq, acked.value AS ackedSeq,
         (SELECT count(*) FROM outbox WHERE outbox.lane = c.lane AND seq > acked.value) AS waitingRows,
         (SELECT coalesce(sum(${storedBytesSql}), 0) FROM outbox WHERE outbox.lane = c.lane AND seq > acked.value)
           AS waitingBytes
       FROM outbox_cursor AS c JOIN json_each(?) AS acked ON acked.key = c.lane ORDER BY lane`,
    )
    .all(JSON.stringify(acked));
  for (const { writtenSeq, ackedSeq } of scanned) expect(writtenSeq).toBeLessThanOrEqual(Number(ackedSeq));
  expect(log.state().lanes).toEqual(scanned.map(({ writtenSeq: _, ...lanes }) => lanes));
}

describe('the log and a model of it', () => {
  it('agree, however much it may hold', { timeout: 120_000 }, async () => {
    const limits = fc.constantFrom({}, { maxBytes: 2_000 }, { maxBytes: 10_000 });
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), limits, play), { numRuns: 200 });
  });

  it('agree when what was acknowledged is written down to make room, and that is rolled back', () => {
    const of = (...sizes: number[]): Event[] => sizes.map((size) => ({ lane: 0, type: 'reading', key: '', size }));
    const steps: Step[] = [
      { do: 'append', events: of(400, 400, 400) },
      { do: 'deliver', lane: 0, rows: 1, acknowledged: 'soon' },
      { do: 'roll-back', events: of(900, 900, 900, 900), whose: 'the log' },
    ];
    return play(steps, { maxBytes: 2_000 });
  });
});
