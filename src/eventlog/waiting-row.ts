import type { DatabaseSync } from 'node:sqlite';

export interface WaitingLane {
  lane: number;
  nextSeq: number;
  ackedSeq: number;
  /** Not yet acknowledged by the coordinator. */
  waitingRows: number;
  waitingBytes: number;
}

/** What waits in each lane of the outbox. */
export function readWaiting(database: DatabaseSync): WaitingLane[] {
  const rows = database
    .prepare(
      `SELECT cursor.lane, next_seq, acked_seq, count(seq) AS waiting_rows, coalesce(sum(length(payload)), 0) AS waiting_bytes
       FROM outbox_cursor AS cursor LEFT JOIN outbox ON outbox.lane = cursor.lane AND seq > acked_seq
       GROUP BY cursor.lane ORDER BY cursor.lane`,
    )
    .all();
  return rows.map((row) => ({
    lane: Number(row['lane']),
    nextSeq: Number(row['next_seq']),
    ackedSeq: Number(row['acked_seq']),
    waitingRows: Number(row['waiting_rows']),
    waitingBytes: Number(row['waiting_bytes']),
  }));
}
