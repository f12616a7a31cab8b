/**
 * The outbox of one device: what must reach it, in order of submission. Pure. A request gets its seq when it is first
 * sent and keeps it until the device has committed it; one that was never sent may still be withdrawn or expire.
 */
import type { LaneCursor, RequestRow } from '../../store/row.ts';

export type Outbox = readonly RequestRow[];

/** What is to be sent now on a connection that has been sent the rows of `sent` already. */
export function nextToSend(
  outbox: Outbox,
  lastSeq: LaneCursor,
  sent: ReadonlySet<number>,
): { rows: RequestRow[]; lastSeq: LaneCursor } {
  const next: [number, number, number, number] = [...lastSeq];
  const rows: RequestRow[] = [];
  for (const request of outbox) {
    if (sent.has(request.row)) continue;
    if (request.seq !== undefined) rows.push(request);
    else {
      const seq = (next[request.lane] ?? 0) + 1;
      next[request.lane] = seq;
      rows.push({ ...request, seq });
    }
  }
  // Sent earlier on another connection: those go first, in their old order.
  return { rows: rows.toSorted((a, b) => a.lane - b.lane || (a.seq ?? 0) - (b.seq ?? 0)), lastSeq: next };
}

/** Splits off what the device has committed: everything of the lane up to and including `upToSeq`. */
export function acknowledged(outbox: Outbox, lane: number, upToSeq: number): { done: RequestRow[]; rest: Outbox } {
  const done = outbox.filter((request) => request.lane === lane && request.seq !== undefined && request.seq <= upToSeq);
  return done.length === 0 ? { done, rest: outbox } : { done, rest: outbox.filter((row) => !done.includes(row)) };
}

/** Splits off what was never sent and has no time left. What was sent is judged by the device. */
export function expired(outbox: Outbox, nowMs: number): { done: RequestRow[]; rest: Outbox } {
  const done = outbox.filter((request) => request.seq === undefined && request.expiresAtMs <= nowMs);
  return done.length === 0 ? { done, rest: outbox } : { done, rest: outbox.filter((row) => !done.includes(row)) };
}
