import type { DatabaseSync } from 'node:sqlite';
import { FlotillaError } from '../error.ts';
import type { Lane, Row } from '../protocol/lane.ts';
import { rowFault } from '../protocol/row-fault.ts';
import { DeadRows } from './dead-row.ts';
import type { DeviceLog, LogSlice, LogState, Meeting, StoredRequest } from './device-log.ts';
import { createDeviceTables, idOf, idText, newInstanceId } from './device-schema.ts';
import { InboxTable } from './inbox-table.ts';
import { storedBytes, type DeviceLogOption } from './log-limit.ts';
import { isDiskFull, logFull } from './log-pressure.ts';
import { DiskReserve } from './disk-reserve.ts';
import { Outbox } from './outbox.ts';
import { StatementCache } from './statement-cache.ts';
import { Tally } from './tally.ts';
import { WriteMeter } from './written-bytes.ts';

/** The device's log in a database that the caller opened (see openDeviceDatabase); makes its tables. One per connection. */
export function createDeviceLog(database: DatabaseSync, option: DeviceLogOption = {}): DeviceLog {
  createDeviceTables(database);
  return new SqliteDeviceLog(database, option);
}

/** So many acknowledged numbers are worth the work of writing them down with something else. */
const manyAcknowledged = 64;

interface Item {
  lane: Lane;
  row: Row;
}

class SqliteDeviceLog implements DeviceLog {
  readonly #database: DatabaseSync;
  readonly #sql: StatementCache;
  readonly #outbox: Outbox;
  readonly #inbox: InboxTable;
  readonly #dead: DeadRows;
  readonly #tally: Tally;
  readonly #meter = new WriteMeter();
  readonly #nowMs: () => number;
  readonly #reserve: DiskReserve | undefined;
  /** What the transaction under way has appended: the least urgent lane, and the bytes of all rows. */
  #asked: { lane: Lane; bytes: number } = { lane: 0, bytes: 0 };
  /** The same of a transaction that found the disk full: room is made before the next one. */
  #refused: { lane: Lane; bytes: number } | undefined;

  constructor(database: DatabaseSync, option: DeviceLogOption) {
    this.#database = database;
    this.#nowMs = option.nowMs ?? Date.now;
    this.#sql = new StatementCache(database);
    this.#tally = new Tally(this.#sql);
    this.#outbox = new Outbox(database, this.#sql, this.#tally, option);
    this.#inbox = new InboxTable(this.#sql);
    this.#dead = new DeadRows(this.#sql, this.#tally);
    if (option.reservePath !== undefined) this.#reserve = new DiskReserve(option.reservePath);
    this.#reserve?.hold();
  }

  get instanceId(): bigint {
    return idOf(this.#identity().instance);
  }

  get renewed(): boolean {
    return this.#identity().renewed === 1;
  }

  append(lane: Lane, row: Row): number {
    return this.appendAll([{ lane, row }])[0]!;
  }

  appendAll(items: readonly Item[]): number[] {
    for (const { row } of items) {
      const fault = rowFault(row);
      if (fault === undefined) continue;
      throw new FlotillaError('ours', 'eventlog-row', `an event that can't travel: ${fault}`, {
        seen: row.type.slice(0, 128),
      });
    }
    const appended = (): number[] =>
      items.map(({ lane, row }) => {
        this.#asked.lane = Math.max(this.#asked.lane, lane) as Lane;
        this.#asked.bytes += storedBytes(row);
        return this.#outbox.append(lane, row);
      });
    if (this.#database.isTransaction) return appended();
    try {
      return this.transact(appended);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
    try {
      return this.transact(appended); // once more, after room was made
    } catch (error) {
      throw isDiskFull(error) ? logFull('SQLite says that the disk is full', error) : error;
    }
  }

  transact<T>(work: () => T): T {
    if (this.#database.isTransaction) return work();
    if (this.#refused !== undefined) this.#relieve(this.#refused);
    this.#asked = { lane: 0, bytes: 0 };
    let committed = false;
    try {
      const result = this.#meter.measure(() =>
        this.#sql.atomically(() => {
          this.#outbox.begin();
          if (this.#outbox.unwritten >= manyAcknowledged) this.#outbox.writeAcknowledged();
          return work();
        }),
      );
      committed = true;
      return result;
    } catch (error) {
      if (isDiskFull(error)) this.#refused = this.#asked;
      throw error;
    } finally {
      this.#outbox.end({ committed });
    }
  }

  read(lane: Lane, afterSeq: number, maxRows: number, maxBytes: number): LogSlice {
    return this.#outbox.read(lane, afterSeq, maxRows, maxBytes);
  }

  nextSeq(): number[] {
    return this.#outbox.lanes().map(({ nextSeq }) => nextSeq);
  }

  ackedSeq(): number[] {
    return this.#outbox.ackedSeq();
  }

  sentSeq(): number[] {
    return this.#outbox.lanes().map(({ sentSeq }) => sentSeq);
  }

  acknowledge(lane: Lane, upToSeq: number): void {
    this.acknowledgeSoon(lane, upToSeq);
    this.writeAcknowledged();
  }

  acknowledgeSoon(lane: Lane, upToSeq: number): number {
    return this.#outbox.acknowledgeSoon(lane, upToSeq);
  }

  writeAcknowledged(): void {
    if (this.#database.isTransaction) this.#outbox.writeAcknowledged();
    else if (this.#outbox.hasHeard) this.transact(() => this.#outbox.writeAcknowledged());
  }

  meet(coordinatorInstanceId: bigint, eventCursor: readonly number[]): Meeting {
    const coordinator = idText(coordinatorInstanceId);
    return this.transact(() => {
      const before = this.#identity().coordinator;
      if (before !== coordinator) this.#sql.run('UPDATE log_identity SET coordinator = ?', coordinator);
      const meeting = this.#judgeMeeting(before, coordinator, eventCursor);
      if (meeting === 'another') this.#outbox.leaveAcknowledged();
      else if (meeting === 'set-back') this.#outbox.setBack(eventCursor);
      this.#outbox.beginSending();
      return meeting;
    });
  }

  #judgeMeeting(before: string, coordinator: string, eventCursor: readonly number[]): Meeting {
    if (idOf(before) === 0n) return 'first';
    if (before !== coordinator) return 'another';
    return this.ackedSeq().some((acked, lane) => (eventCursor[lane] ?? 0) < acked) ? 'set-back' : 'same';
  }

  part(): void {
    this.#outbox.endSending();
  }

  receive(coordinatorInstanceId: bigint, lane: Lane, seq: number, row: Row): boolean {
    return this.transact(() => this.#inbox.receive(coordinatorInstanceId, lane, seq, row));
  }

  take(coordinatorInstanceId: bigint, lane: Lane, seq: number): boolean {
    return this.transact(() => this.#inbox.take(coordinatorInstanceId, lane, seq));
  }

  skip(coordinatorInstanceId: bigint, lane: Lane, upToSeq: number): void {
    this.transact(() => this.#inbox.skip(coordinatorInstanceId, lane, upToSeq));
  }

  requestCursor(): { coordinatorInstanceId: bigint; seq: number[] } {
    const coordinatorInstanceId = idOf(this.#identity().coordinator);
    return { coordinatorInstanceId, seq: this.#inbox.cursors(coordinatorInstanceId) };
  }

  unsettled(): StoredRequest[] {
    return this.#inbox.unsettled();
  }

  settle(request: StoredRequest): void {
    this.transact(() => this.#inbox.settle(request));
  }

  attempt(request: StoredRequest): void {
    this.transact(() => this.#inbox.attempt(request));
  }

  fail(request: StoredRequest): void {
    this.transact(() => this.#inbox.fail(request));
  }

  countCrashes(): void {
    this.transact(() => this.#inbox.countCrashes());
  }

  giveUp(request: StoredRequest, reason: string): void {
    this.transact(() => this.#inbox.giveUp(request, reason, this.#nowMs()));
  }

  bury(lane: Lane, seq: number, reason: string): void {
    this.transact(() => this.#dead.bury(lane, seq, reason));
  }

  renewInstance(): void {
    this.transact(() => {
      this.#sql.run('UPDATE log_identity SET instance = ?, renewed = 1', idText(newInstanceId()));
      this.#outbox.beginInstance();
    });
  }

  state(): LogState {
    return {
      lanes: this.#outbox.state(),
      sinceStart: { events: this.#outbox.events, writtenBytes: this.#meter.bytes },
      droppedRows: this.#tally.get('dropped_rows'),
      deadRows: this.#tally.get('dead_rows'),
    };
  }

  /** Gives up what is less urgent and lets the journal begin anew, so that the next transaction finds room. */
  #relieve({ lane, bytes }: { lane: Lane; bytes: number }): void {
    this.#refused = undefined;
    this.#reserve?.release();
    try {
      this.#checkpoint();
      this.transact(() => this.#outbox.relieve(lane, bytes));
      this.#checkpoint();
    } catch (error) {
      if (!isDiskFull(error)) throw error; // the next attempt to append says so
      this.#refused = undefined;
    }
    this.#reserve?.hold();
  }

  /** Copies the journal into the file as far as there is room; then it is written from its beginning again. */
  #checkpoint(): void {
    try {
      this.#sql.get('PRAGMA wal_checkpoint(RESTART)');
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  #identity(): { instance: string; renewed: number; coordinator: string } {
    return this.#sql.get<{ instance: string; renewed: number; coordinator: string }>('SELECT * FROM log_identity')!;
  }
}
