import { FlotillaError } from '../error.ts';
import { laneCount, type Lane, type Row } from '../protocol/lane.ts';
import type { StoredRequest } from './device-log.ts';
import { idOf, idText } from './device-schema.ts';
import { rowColumns, rowOf, type RowRecord } from './row-record.ts';
import type { StatementCache } from './statement-cache.ts';

/** Requests that were given up and are kept to be looked at. */
const maxDeadRows = 1_000;
const maxDeadBytes = 4 * 1024 * 1024;

type RequestRecord = RowRecord & { coordinator: string } & Record<'crashes' | 'failures' | 'running', number | null>;

/** Requests of coordinators, from their commit to the commit of their effect. */
export class InboxTable {
  readonly #sql: StatementCache;

  constructor(sql: StatementCache) {
    this.#sql = sql;
  }

  receive(coordinatorInstanceId: bigint, lane: Lane, seq: number, row: Row): boolean {
    if (!this.take(coordinatorInstanceId, lane, seq)) return false;
    this.#sql.run(
      'INSERT INTO inbox (coordinator, lane, seq, type, key, timestamp_ms, schema, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      idText(coordinatorInstanceId),
      lane,
      seq,
      ...rowColumns(row),
    );
    return true;
  }

  take(coordinatorInstanceId: bigint, lane: Lane, seq: number): boolean {
    const advance = 'UPDATE inbox_cursor SET seq = ?3 WHERE coordinator = ?1 AND lane = ?2 AND seq = ?3 - 1';
    if (this.#sql.run(advance, idText(coordinatorInstanceId), lane, seq) === 1) return true;
    const last = this.#cursor(coordinatorInstanceId, lane);
    if (seq <= last) return false;
    if (seq !== last + 1) {
      throw new FlotillaError('ours', 'eventlog-gap', `request ${seq} of lane ${lane} came after ${last}`, {
        expected: `${last + 1}, or a gap that was announced`,
      });
    }
    this.#advance(coordinatorInstanceId, lane, seq);
    return true;
  }

  skip(coordinatorInstanceId: bigint, lane: Lane, upToSeq: number): void {
    if (this.#cursor(coordinatorInstanceId, lane) < upToSeq) this.#advance(coordinatorInstanceId, lane, upToSeq);
  }

  cursors(coordinatorInstanceId: bigint): number[] {
    return Array.from({ length: laneCount }, (_, lane) => this.#cursor(coordinatorInstanceId, lane as Lane));
  }

  unsettled(): StoredRequest[] {
    return this.#sql
      .all<RequestRecord>(
        `SELECT inbox.*, crashes, failures, running FROM inbox LEFT JOIN inbox_attempt USING (coordinator, lane, seq)
         ORDER BY arrival`,
      )
      .map((record) => ({
        ...rowOf(record),
        lane: record.lane as Lane,
        seq: record.seq,
        coordinatorInstanceId: idOf(record.coordinator),
        crashes: record.crashes ?? 0,
        failures: record.failures ?? 0,
        running: record.running === 1,
      }));
  }

  settle(request: StoredRequest): void {
    this.#sql.run('DELETE FROM inbox WHERE coordinator = ? AND lane = ? AND seq = ?', ...placeOf(request));
    this.#sql.run('DELETE FROM inbox_attempt WHERE coordinator = ? AND lane = ? AND seq = ?', ...placeOf(request));
  }

  attempt(request: StoredRequest): void {
    this.#sql.run(
      `INSERT INTO inbox_attempt VALUES (?, ?, ?, 1, 0, 0) ON CONFLICT DO UPDATE SET running = 1`,
      ...placeOf(request),
    );
  }

  fail(request: StoredRequest): void {
    this.#sql.run(
      `UPDATE inbox_attempt SET running = 0, failures = failures + 1 WHERE coordinator = ? AND lane = ? AND seq = ?`,
      ...placeOf(request),
    );
  }

  /** Also forgets attempts whose request an agent of an earlier version has settled. */
  countCrashes(): void {
    this.#sql.run('UPDATE inbox_attempt SET running = 0, crashes = crashes + 1 WHERE running = 1');
    this.#sql.run(
      `DELETE FROM inbox_attempt WHERE NOT EXISTS (
         SELECT * FROM inbox WHERE inbox.coordinator = inbox_attempt.coordinator
           AND inbox.lane = inbox_attempt.lane AND inbox.seq = inbox_attempt.seq)`,
    );
  }

  giveUp(request: StoredRequest, reason: string, atMs: number): void {
    this.#sql.run(
      `INSERT INTO inbox_dead (coordinator, lane, seq, type, key, timestamp_ms, schema, payload, attempts, reason, at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...placeOf(request),
      ...rowColumns(request),
      request.crashes + request.failures,
      reason,
      atMs,
    );
    this.settle(request);
    this.#sql.run('DELETE FROM inbox_dead WHERE ordinal <= (SELECT max(ordinal) FROM inbox_dead) - ?', maxDeadRows);
    this.#sql.run(
      `DELETE FROM inbox_dead WHERE ordinal IN (
         SELECT ordinal FROM (SELECT ordinal, sum(length(payload)) OVER (ORDER BY ordinal DESC) AS bytes FROM inbox_dead)
         WHERE bytes > ?)`,
      maxDeadBytes,
    );
  }

  #cursor(coordinatorInstanceId: bigint, lane: Lane): number {
    const sql = 'SELECT seq FROM inbox_cursor WHERE coordinator = ? AND lane = ?';
    return this.#sql.get<{ seq: number }>(sql, idText(coordinatorInstanceId), lane)?.seq ?? 0;
  }

  #advance(coordinatorInstanceId: bigint, lane: Lane, seq: number): void {
    this.#sql.run(
      'INSERT INTO inbox_cursor VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET seq = ?3',
      idText(coordinatorInstanceId),
      lane,
      seq,
    );
  }
}

function placeOf({ coordinatorInstanceId, lane, seq }: StoredRequest): [string, number, number] {
  return [idText(coordinatorInstanceId), lane, seq];
}
