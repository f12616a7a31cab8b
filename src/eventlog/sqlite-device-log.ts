import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { FlotillaError } from '../error.ts';
import { laneCount, type Lane, type Row } from '../protocol/lane.ts';
import { rowFault } from '../protocol/row-fault.ts';
import type { DeviceLog, StoredRequest } from './device-log.ts';
import { createDeviceTables, idOf, idText, newInstanceId } from './device-schema.ts';
import { atomically } from './open-device-database.ts';

export interface DeviceLogOption {
  /** Acknowledged rows of each lane that stay, for a coordinator that was restored from a backup. */
  keptRows?: number;
}

/** The device's log in a database that the caller opened (see openDeviceDatabase); makes its tables. */
export function createDeviceLog(database: DatabaseSync, option: DeviceLogOption = {}): DeviceLog {
  createDeviceTables(database);
  return new SqliteDeviceLog(database, option.keptRows ?? 1_000);
}

interface RowRecord {
  lane: number;
  seq: number;
  type: string;
  key: string;
  timestamp_ms: number;
  schema: string | null;
  payload: Uint8Array;
}

class SqliteDeviceLog implements DeviceLog {
  readonly #database: DatabaseSync;
  readonly #keptRows: number;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, keptRows: number) {
    this.#database = database;
    this.#keptRows = keptRows;
  }

  get instanceId(): bigint {
    return idOf(this.#identity().instance);
  }

  get renewed(): boolean {
    return this.#identity().renewed === 1;
  }

  append(lane: Lane, row: Row): number {
    const fault = rowFault(row);
    if (fault !== undefined) {
      throw new FlotillaError('ours', 'eventlog-row', `an event that can't travel: ${fault}`, {
        seen: row.type.slice(0, 128),
      });
    }
    return atomically(this.#database, () => {
      const taken = this.#get<{ seq: number }>(
        'UPDATE outbox_cursor SET next_seq = next_seq + 1 WHERE lane = ? RETURNING next_seq - 1 AS seq',
        lane,
      );
      const { seq } = taken!;
      this.#run('INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)', lane, seq, ...rowColumns(row));
      return seq;
    });
  }

  transact<T>(work: () => T): T {
    return atomically(this.#database, work);
  }

  read(lane: Lane, afterSeq: number, maxRows: number, maxBytes: number): { firstSeq: number; rows: Row[] } {
    const select = this.#statement('SELECT * FROM outbox WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?');
    const rows: Row[] = [];
    let firstSeq = afterSeq + 1;
    let bytes = 0;
    for (const record of select.iterate(lane, afterSeq, maxRows) as Iterable<object> as Iterable<RowRecord>) {
      if (rows.length === 0) firstSeq = record.seq;
      else if (record.seq !== firstSeq + rows.length || bytes + record.payload.length > maxBytes) break;
      rows.push(rowOf(record));
      bytes += record.payload.length;
    }
    return { firstSeq, rows };
  }

  nextSeq(): number[] {
    return this.#cursors().map(({ next_seq }) => next_seq);
  }

  ackedSeq(): number[] {
    return this.#cursors().map(({ acked_seq }) => acked_seq);
  }

  acknowledge(lane: Lane, upToSeq: number): void {
    atomically(this.#database, () => {
      const moved = this.#run(
        'UPDATE outbox_cursor SET acked_seq = ?1 WHERE lane = ?2 AND acked_seq < ?1 AND next_seq > ?1',
        upToSeq,
        lane,
      );
      if (moved > 0) this.#run('DELETE FROM outbox WHERE lane = ? AND seq <= ?', lane, upToSeq - this.#keptRows);
    });
  }

  meet(coordinatorInstanceId: bigint): void {
    this.#run('UPDATE log_identity SET coordinator = ?1 WHERE coordinator <> ?1', idText(coordinatorInstanceId));
  }

  receive(coordinatorInstanceId: bigint, lane: Lane, seq: number, row: Row): boolean {
    return atomically(this.#database, () => {
      const last = this.#inboxSeq(coordinatorInstanceId, lane);
      if (seq <= last) return false;
      if (seq !== last + 1) {
        throw new FlotillaError('ours', 'eventlog-gap', `request ${seq} of lane ${lane} came after ${last}`, {
          expected: `${last + 1}, or a gap that was announced`,
        });
      }
      this.#advanceInbox(coordinatorInstanceId, lane, seq);
      this.#run(
        'INSERT INTO inbox (coordinator, lane, seq, type, key, timestamp_ms, schema, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        idText(coordinatorInstanceId),
        lane,
        seq,
        ...rowColumns(row),
      );
      return true;
    });
  }

  skip(coordinatorInstanceId: bigint, lane: Lane, upToSeq: number): void {
    atomically(this.#database, () => {
      if (this.#inboxSeq(coordinatorInstanceId, lane) < upToSeq)
        this.#advanceInbox(coordinatorInstanceId, lane, upToSeq);
    });
  }

  requestCursor(): { coordinatorInstanceId: bigint; seq: number[] } {
    const coordinatorInstanceId = idOf(this.#identity().coordinator);
    const seq = Array.from({ length: laneCount }, (_, lane) => this.#inboxSeq(coordinatorInstanceId, lane as Lane));
    return { coordinatorInstanceId, seq };
  }

  unsettled(): StoredRequest[] {
    return this.#all<RowRecord & { coordinator: string }>('SELECT * FROM inbox ORDER BY arrival').map((record) => ({
      ...rowOf(record),
      lane: record.lane as Lane,
      seq: record.seq,
      coordinatorInstanceId: idOf(record.coordinator),
    }));
  }

  settle(request: StoredRequest): void {
    this.#run(
      'DELETE FROM inbox WHERE coordinator = ? AND lane = ? AND seq = ?',
      idText(request.coordinatorInstanceId),
      request.lane,
      request.seq,
    );
  }

  bury(lane: Lane, seq: number, reason: string): void {
    this.#run(
      `INSERT OR IGNORE INTO outbox_dead
       SELECT (SELECT instance FROM log_identity), lane, seq, type, key, timestamp_ms, schema, payload, ?
       FROM outbox WHERE lane = ? AND seq = ?`,
      reason,
      lane,
      seq,
    );
  }

  renewInstance(): void {
    this.#run('UPDATE log_identity SET instance = ?, renewed = 1', idText(newInstanceId()));
  }

  #identity(): { instance: string; renewed: number; coordinator: string } {
    return this.#get<{ instance: string; renewed: number; coordinator: string }>('SELECT * FROM log_identity')!;
  }

  #cursors(): { next_seq: number; acked_seq: number }[] {
    return this.#all('SELECT next_seq, acked_seq FROM outbox_cursor ORDER BY lane');
  }

  #inboxSeq(coordinatorInstanceId: bigint, lane: Lane): number {
    const sql = 'SELECT seq FROM inbox_cursor WHERE coordinator = ? AND lane = ?';
    return this.#get<{ seq: number }>(sql, idText(coordinatorInstanceId), lane)?.seq ?? 0;
  }

  #advanceInbox(coordinatorInstanceId: bigint, lane: Lane, seq: number): void {
    this.#run(
      'INSERT INTO inbox_cursor VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET seq = ?3',
      idText(coordinatorInstanceId),
      lane,
      seq,
    );
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #get<T extends object>(sql: string, ...values: (string | number)[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  #all<T extends object>(sql: string): T[] {
    return this.#statement(sql).all() as object[] as T[];
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }
}

function rowColumns(row: Row): [string, string, number, string | null, Uint8Array] {
  return [row.type, row.key, row.timestampMs, row.schema === 0n ? null : idText(row.schema), row.payload];
}

function rowOf(record: RowRecord): Row {
  const { type, key, timestamp_ms: timestampMs, schema, payload } = record;
  return { type, key, timestampMs, schema: schema === null ? 0n : idOf(schema), payload };
}
