/**
 * The outbox of one device: what must reach it, in order of submission. Pure. A request gets its seq when it is first
 * sent and keeps it until the device has committed it; one that was never sent may still be withdrawn or expire.
 */
import type { Standing } from '../../protocol/message.ts';
import type { LaneCursor, RequestRow } from '../../store/row.ts';

export type Outbox = readonly RequestRow[];

/** What may reach a device that is kept out: only what ends something that it may still be doing. */
const quarantinedTypes: ReadonlySet<string> = new Set(['job.cancel', 'update.cancel']);

/** What a device of this standing may be sent. Rows that have their number already go in order or not at all. */
export function deliverable(outbox: Outbox, standing: Standing): Outbox {
  if (standing === 'accepted') return outbox;
  if (standing === 'pending') return [];
  const numbered = outbox.filter(({ seq }) => seq !== undefined).toSorted((a, b) => a.seq! - b.seq!);
  const first = numbered.findIndex(({ type }) => !quarantinedTypes.has(type));
  // A number that were left out would be acknowledged with the next one: it would never be delivered.
  if (first >= 0) return numbered.slice(0, first);
  return outbox.filter(({ type }) => quarantinedTypes.has(type));
}

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
