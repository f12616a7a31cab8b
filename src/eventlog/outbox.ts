import type { DatabaseSync } from 'node:sqlite';
import type { Lane, Row } from '../protocol/lane.ts';
import type { GapEvent } from '../protocol/event.ts';
import type { LogSlice } from './device-log.ts';
import { GapTable } from './gap-table.ts';
import { jsonRow } from './json-row.ts';
import { LatestRows } from './latest-row.ts';
import { logFull, LogPressure } from './log-pressure.ts';
import { defaultRetention, storedBytes, storedBytesSql, type DeviceLogOption } from './log-limit.ts';
import { RecentRows } from './recent-rows.ts';
import { Retention } from './retention.ts';
import { rowColumns, rowOf, type RowRecord } from './row-record.ts';
import type { StatementCache } from './statement-cache.ts';
import type { Tally } from './tally.ts';
import { TransactionWitness } from './transaction-witness.ts';

export interface LaneState {
  nextSeq: number;
  ackedSeq: number;
  /** No higher number has ever left. */
  sentSeq: number;
  waitingRows: number;
  waitingBytes: number;
  gapRanges: number;
}

/** Reasons of one hole that are told at a time. */
const maxRangesRead = 256;

/**
 * Events on their way to the coordinator: four lanes of numbered rows in SQLite, and in memory the counters that
 * every decision needs, so that none of them needs a scan. Every method expects to run in a transaction.
 */
export class Outbox {
  readonly #sql: StatementCache;
  readonly #option: DeviceLogOption;
  readonly #nowMs: () => number;
  readonly #witness: TransactionWitness;
  readonly #gaps: GapTable;
  readonly #retention: Retention;
  readonly #pressure: LogPressure;
  readonly #tally: Tally;
  readonly #latest = new LatestRows();
  readonly #recent = new RecentRows();
  /** What the coordinator has and the tables may not say yet, by lane. */
  readonly #heard = new Map<Lane, number>();
  #lanes: LaneState[] = [];
  #events = 0;
  /** A session is live: what is appended may leave right after its commit. */
  #sending = false;
  #stale = true;

  constructor(database: DatabaseSync, sql: StatementCache, tally: Tally, option: DeviceLogOption) {
    this.#sql = sql;
    this.#option = option;
    this.#tally = tally;
    this.#nowMs = option.nowMs ?? Date.now;
    this.#witness = new TransactionWitness(database);
    this.#gaps = new GapTable(sql);
    const { rules, defaultRule = defaultRetention } = option;
    this.#retention = new Retention(sql, (type) => rules?.get(type) ?? defaultRule, this.#nowMs);
    this.#pressure = new LogPressure(sql, option);
  }

  /** Rows that were appended since the start. */
  get events(): number {
    this.#settle();
    return this.#events;
  }

  lanes(): readonly Readonly<LaneState>[] {
    this.#settle();
    return this.#lanes;
  }

  ackedSeq(): number[] {
    return this.lanes().map(({ ackedSeq }, lane) => Math.max(ackedSeq, this.#heard.get(lane as Lane) ?? 0));
  }

  /** As `lanes`, without what the coordinator has and the tables do not say yet. */
  state(): Pick<LaneState, 'nextSeq' | 'ackedSeq' | 'waitingRows' | 'waitingBytes'>[] {
    const acked = this.ackedSeq();
    return this.#lanes.map(({ nextSeq, ackedSeq, waitingRows, waitingBytes }, lane) => {
      const upToSeq = acked[lane]!;
      if (upToSeq === ackedSeq) return { nextSeq, ackedSeq, waitingRows, waitingBytes };
      const heard = this.#measure(lane as Lane, ackedSeq, upToSeq);
      const waiting = { waitingRows: waitingRows - heard.rows, waitingBytes: waitingBytes - heard.bytes };
      return { nextSeq, ackedSeq: upToSeq, ...waiting };
    });
  }

  /** A transaction of the log's own is under way. */
  begin(): void {
    this.#witness.begin();
  }

  /** That transaction has ended. */
  end(how: { committed: boolean }): void {
    this.#witness.end(how);
  }

  append(lane: Lane, row: Row): number {
    this.#settleForChange();
    this.#makeRoom(lane, storedBytes(row));
    return this.#insert(lane, row);
  }

  #insert(lane: Lane, row: Row): number {
    const state = this.#lanes[lane]!;
    const change = this.#witness.change();
    const seq = state.nextSeq;
    const before = { ...state };
    const sentSeq = this.#sending ? seq : state.sentSeq;
    this.#sql.run('UPDATE outbox_cursor SET next_seq = ?, sent_seq = ? WHERE lane = ?', seq + 1, sentSeq, lane);
    this.#sql.run('INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)', lane, seq, ...rowColumns(row));
    state.nextSeq = seq + 1;
    state.sentSeq = sentSeq;
    state.waitingRows += 1;
    state.waitingBytes += storedBytes(row);
    this.#events += 1;
    const { type, key } = row;
    const isLatest = this.#option.rules?.get(type)?.latestOnly === true;
    const older = isLatest ? this.#latest.put(lane, type, key, seq) : undefined;
    if (older !== undefined) this.#supersede(lane, older);
    if (this.#sending) this.#recent.put(lane, seq, row);
    change.changed(() => {
      this.#lanes[lane] = before;
      this.#events -= 1;
      this.#recent.forget();
      if (isLatest) this.#latest.restore(lane, type, key, older);
    });
    if (this.#latest.size > 1_024 && this.#latest.size > 2 * state.waitingRows)
      this.#latest.sweep((each) => this.#lanes[each]!.ackedSeq);
    return seq;
  }

  /**
   * Leaves out a row that a newer one of its key has made worthless. It may be on its way right now: then it arrives
   * all the same, is stored under its own number and acknowledged with it, and the gap is never told. A number that is
   * left out is never given again, so nothing else can come in its place.
   */
  #supersede(lane: Lane, seq: number): void {
    const state = this.#lanes[lane]!;
    if (seq <= Math.max(state.ackedSeq, this.#heard.get(lane) ?? 0)) return;
    const gone = this.#sql.get<{ bytes: number }>(
      `DELETE FROM outbox WHERE lane = ? AND seq = ? RETURNING ${storedBytesSql} AS bytes`,
      lane,
      seq,
    );
    this.#recent.forget();
    if (gone === undefined) return; // given up under pressure before
    state.waitingRows -= 1;
    state.waitingBytes -= gone.bytes;
    state.gapRanges += this.#gaps.add(lane, seq, seq, 'superseded');
  }

  /** Gives up what is worth less than the row that comes; throws, and has changed nothing, when that is not enough. */
  #makeRoom(lane: Lane, bytes: number): void {
    if (this.#pressure.crowding(bytes, this.#lanes) > 0) this.writeAcknowledged(); // what the coordinator has waits no more
    const excess = this.#pressure.excess(lane, bytes, this.#lanes);
    if (excess > 0) this.#dropWaiting(lane, excess);
    const lacking = this.#pressure.lacking(bytes);
    if (lacking === 0) return;
    this.writeAcknowledged();
    let freed = this.#sacrifice(lacking);
    if (freed < lacking) freed += this.#dropWaiting(lane, lacking - freed);
    if (freed === 0 && excess === 0 && lane !== 0) throw logFull('the file system of the log is short of room');
  }

  /** After SQLite has said that the disk is full: makes room in the file itself, as far as there is something to give. */
  relieve(lane: Lane, bytes: number): void {
    this.#settleForChange();
    this.writeAcknowledged();
    this.#pressure.sawFull();
    const step = this.#pressure.step(bytes);
    if (this.#sacrifice(step) < step) this.#dropWaiting(lane, step);
  }

  #sacrifice(bytes: number): number {
    const change = this.#witness.change();
    const freed = this.#retention.sacrifice(bytes);
    change.changed(() => void (this.#stale = true));
    return freed;
  }

  /**
   * The oldest rows of the lowest lanes go, down to `lane` itself and never lane 0, and an event on lane 0 says so in
   * the same transaction. A row may be on its way right now: as with `#supersede`, it then arrives under its own
   * number, and no other row ever has that number.
   */
  #dropWaiting(lane: Lane, bytes: number): number {
    let freed = 0;
    for (const victim of [3, 2, 1] as const) {
      if (victim < lane || freed >= bytes) break;
      freed += this.#dropOldest(victim, bytes - freed);
    }
    return freed;
  }

  #dropOldest(lane: Lane, bytes: number): number {
    const state = this.#lanes[lane]!;
    let dropped: Pick<GapEvent, 'fromSeq' | 'toSeq' | 'rows' | 'bytes'> | undefined;
    const oldest = this.#sql.iterate<{ seq: number; bytes: number }>(
      `SELECT seq, ${storedBytesSql} AS bytes FROM outbox WHERE lane = ? AND seq > ? ORDER BY seq`,
      lane,
      state.ackedSeq,
    );
    for (const row of oldest) {
      dropped ??= { fromSeq: row.seq, toSeq: row.seq, rows: 0, bytes: 0 };
      dropped.toSeq = row.seq;
      dropped.rows += 1;
      dropped.bytes += row.bytes;
      if (dropped.bytes >= bytes) break;
    }
    if (dropped === undefined) return 0;
    const change = this.#witness.change();
    const { fromSeq, toSeq } = dropped;
    this.#sql.run('DELETE FROM outbox WHERE lane = ? AND seq BETWEEN ? AND ?', lane, fromSeq, toSeq);
    this.#recent.forget();
    state.gapRanges += this.#gaps.add(lane, fromSeq, toSeq, 'disk-pressure');
    state.waitingRows -= dropped.rows;
    state.waitingBytes -= dropped.bytes;
    this.#tally.add('dropped_rows', dropped.rows);
    change.changed(() => void (this.#stale = true));
    const value: GapEvent = { lane, ...dropped, reason: 'disk-pressure' };
    this.#insert(0, jsonRow({ type: 'flotilla.gap', timestampMs: this.#nowMs(), value }));
    return dropped.bytes;
  }

  read(lane: Lane, afterSeq: number, maxRows: number, maxBytes: number): LogSlice {
    this.#settle();
    const { nextSeq, gapRanges } = this.#lanes[lane]!;
    const slice: LogSlice = { left: [], firstSeq: afterSeq + 1, rows: [] };
    if (afterSeq + 1 >= nextSeq) return slice;
    const recent = this.#recent.take(lane, afterSeq + 1, nextSeq, { rows: maxRows, bytes: maxBytes });
    if (recent !== undefined) return { ...slice, rows: recent };
    let bytes = 0;
    // Without a LIMIT: SQLite makes its plan anew for each value of one.
    const sql = 'SELECT * FROM outbox WHERE lane = ? AND seq > ? ORDER BY seq';
    for (const record of this.#sql.iterate<RowRecord>(sql, lane, afterSeq)) {
      if (slice.rows.length === maxRows) break;
      if (slice.rows.length === 0) slice.firstSeq = record.seq;
      else if (record.seq !== slice.firstSeq + slice.rows.length || bytes + record.payload.length > maxBytes) break;
      slice.rows.push(rowOf(record));
      bytes += record.payload.length;
    }
    if (slice.rows.length === 0) slice.firstSeq = nextSeq; // nothing is left of the lane but why
    if (slice.firstSeq === afterSeq + 1) return slice;
    slice.left =
      gapRanges === 0
        ? [{ upToSeq: slice.firstSeq - 1, reason: 'not-kept' }]
        : this.#gaps.explain(lane, afterSeq + 1, slice.firstSeq - 1, maxRangesRead);
    if (slice.left.at(-1)!.upToSeq === slice.firstSeq - 1) return slice;
    return { left: slice.left, firstSeq: slice.left.at(-1)!.upToSeq + 1, rows: [] }; // so many reasons: rows come later
  }

  /** In memory until `writeAcknowledged`. Returns how many numbers wait for that. */
  acknowledgeSoon(lane: Lane, upToSeq: number): number {
    if (upToSeq < this.lanes()[lane]!.nextSeq) this.#heard.set(lane, Math.max(upToSeq, this.#heard.get(lane) ?? 0));
    return this.unwritten;
  }

  get hasHeard(): boolean {
    return this.#heard.size > 0;
  }

  /** Numbers that the coordinator has and the tables do not say yet. */
  get unwritten(): number {
    if (this.#heard.size === 0) return 0;
    this.#settle();
    let numbers = 0;
    for (const [lane, upToSeq] of this.#heard) numbers += Math.max(0, upToSeq - this.#lanes[lane]!.ackedSeq);
    return numbers;
  }

  /** One that goes forward is kept until a later call finds it written: this transaction may be rolled back. */
  writeAcknowledged(): void {
    if (this.#heard.size === 0) return;
    this.#settleForChange();
    for (const [lane, upToSeq] of this.#heard) {
      if (upToSeq <= this.#lanes[lane]!.ackedSeq) this.#heard.delete(lane);
      this.#acknowledge(lane, upToSeq);
    }
  }

  #acknowledge(lane: Lane, upToSeq: number): void {
    const state = this.#lanes[lane]!;
    if (upToSeq >= state.nextSeq) return;
    const forward = upToSeq > state.ackedSeq;
    if (!forward && state.gapRanges === 0) return;
    const change = this.#witness.change();
    if (state.gapRanges > 0) state.gapRanges -= this.#gaps.prune(lane, upToSeq);
    if (forward) {
      const taken = this.#retention.take(lane, state.ackedSeq, upToSeq);
      state.waitingRows -= taken.rows;
      state.waitingBytes -= taken.bytes;
      state.ackedSeq = upToSeq;
      state.sentSeq = Math.max(state.sentSeq, upToSeq);
      const cursor = 'UPDATE outbox_cursor SET acked_seq = ?, sent_seq = ? WHERE lane = ?';
      this.#sql.run(cursor, upToSeq, state.sentSeq, lane);
      this.#retention.prune();
    }
    change.changed(() => {
      this.#stale = true;
      this.#heard.set(lane, Math.max(upToSeq, this.#heard.get(lane) ?? 0));
    });
  }

  /** On disk before the first row of a session leaves: all that is in the log may have been sent. */
  beginSending(): void {
    this.#settleForChange();
    this.#sending = true;
    if (this.#lanes.every(({ nextSeq, sentSeq }) => sentSeq === nextSeq - 1)) return;
    const change = this.#witness.change();
    this.#sql.run('UPDATE outbox_cursor SET sent_seq = next_seq - 1');
    for (const state of this.#lanes) state.sentSeq = state.nextSeq - 1;
    change.changed(() => void (this.#stale = true));
  }

  endSending(): void {
    this.#sending = false;
    this.#recent.forget();
  }

  /**
   * What waits goes on under the new instance; what was acknowledged is another history's, and its numbers are left
   * out. Rows that were sent and not acknowledged before a rollback may so arrive once more, under their new name.
   */
  beginInstance(): void {
    this.#settleForChange();
    const change = this.#witness.change();
    for (const [n, { ackedSeq }] of this.#lanes.entries()) {
      const lane = n as Lane;
      this.#sql.run('DELETE FROM outbox WHERE lane = ? AND seq <= ?', lane, ackedSeq);
      this.#gaps.beginAfter(lane, ackedSeq);
    }
    this.#sql.run('UPDATE outbox_cursor SET sent_seq = acked_seq');
    change.changed(() => void (this.#stale = true));
    this.#stale = true;
  }

  /** What was acknowledged is the history of another coordinator: it stays there. */
  leaveAcknowledged(): void {
    this.#settleForChange();
    const change = this.#witness.change();
    for (const [lane, { ackedSeq }] of this.#lanes.entries())
      this.#sql.run('DELETE FROM outbox WHERE lane = ? AND seq <= ?', lane, ackedSeq);
    change.changed(() => void (this.#stale = true));
    this.#stale = true;
  }

  /** The coordinator has less than it had: what is kept of the rest waits again. */
  setBack(cursor: readonly number[]): void {
    this.#settleForChange();
    const change = this.#witness.change();
    this.#heard.clear();
    const back = 'UPDATE outbox_cursor SET acked_seq = min(acked_seq, ?) WHERE lane = ?';
    for (const lane of this.#lanes.keys()) this.#sql.run(back, cursor[lane] ?? 0, lane);
    change.changed(() => void (this.#stale = true));
    this.#stale = true;
  }

  #settle(): void {
    if (!this.#witness.settle() || this.#stale) this.#load();
  }

  #settleForChange(): void {
    if (!this.#witness.settleForChange() || this.#stale) this.#load();
  }

  /** Reads the counters from the tables: at the start, and after a rollback of more than appends. */
  #load(): void {
    this.#stale = false;
    this.#recent.forget();
    this.#retention.forget();
    const cursors = this.#sql.all<Omit<LaneState, 'waitingRows' | 'waitingBytes' | 'gapRanges'>>(
      'SELECT next_seq AS nextSeq, acked_seq AS ackedSeq, sent_seq AS sentSeq FROM outbox_cursor ORDER BY lane',
    );
    this.#lanes = cursors.map((cursor, n) => {
      const lane = n as Lane;
      const waiting = this.#measure(lane, cursor.ackedSeq, cursor.nextSeq - 1);
      this.#retention.take(lane, 0, cursor.ackedSeq);
      // An earlier version knows nothing of `sent_seq`; what it had acknowledged was sent.
      const sentSeq = Math.max(cursor.sentSeq, cursor.ackedSeq);
      const gapRanges = this.#gaps.count(lane);
      return { ...cursor, sentSeq, waitingRows: waiting.rows, waitingBytes: waiting.bytes, gapRanges };
    });
    const types = [...(this.#option.rules ?? [])].filter(([, rule]) => rule.latestOnly).map(([type]) => type);
    const acked = this.#lanes.map(({ ackedSeq }) => ackedSeq);
    this.#latest.load(this.#sql, types, acked);
  }

  #measure(lane: Lane, afterSeq: number, upToSeq: number): { rows: number; bytes: number } {
    const sql = `SELECT count(*) AS rows, coalesce(sum(${storedBytesSql}), 0) AS bytes
      FROM outbox WHERE lane = ? AND seq > ? AND seq <= ?`;
    return this.#sql.get<{ rows: number; bytes: number }>(sql, lane, afterSeq, upToSeq)!;
  }
}
