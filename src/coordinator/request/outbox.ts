/**
 * The outbox of one device: what must reach it, in order of submission. Pure. A request gets its seq when it is first
 * sent and keeps it until the device has committed it; one that was never sent may still be withdrawn or expire.
 */
import type { Standing } from '../../protocol/message.ts';
import { alwaysAccepted, requestVersions } from '../../protocol/request.ts';
import type { DeviceRow, LaneCursor, RequestRow } from '../../store/row.ts';

export type Outbox = readonly RequestRow[];

/** What may reach a device that is kept out: only what ends something that it may still be doing. */
const quarantinedTypes: ReadonlySet<string> = new Set(['job.cancel', 'update.cancel']);

/** What a device has announced, and the agent that it runs now. */
export type Taker = Pick<DeviceRow, 'agentVersion' | 'accepts'>;

/** The name under which a device announces that it takes this request. */
export function neededType({ type, payload }: Pick<RequestRow, 'type' | 'payload'>): string {
  return type === 'product.request' ? `product.request:${(JSON.parse(payload) as { type: string }).type}` : type;
}

/** May the device be sent this? What another version of its agent announced says nothing about this one. */
export function isAnnounced(row: Pick<RequestRow, 'type' | 'payload'>, { agentVersion, accepts }: Taker): boolean {
  if (alwaysAccepted.has(row.type)) return true;
  if (accepts === undefined || accepts.agentVersion !== agentVersion) return false;
  const needed = neededType(row);
  const version = (requestVersions as Partial<Record<string, number>>)[row.type] ?? 1;
  return Object.hasOwn(accepts.types, needed) && accepts.types[needed]! >= version;
}

/** Does the agent that it runs now heed the `conduct` of an offer? */
export function takesConduct({ agentVersion, accepts }: Taker): boolean {
  return accepts?.agentVersion === agentVersion && (accepts?.types['update.offer'] ?? 1) >= 2;
}

/**
 * Takes the numbers back of rows that an earlier connection was sent, did not commit, and that the device would not
 * take any more: they must not hold up what comes behind them. Only for a device that has told what it has committed.
 */
export function recall(
  outbox: Outbox,
  taker: Taker,
  sent: ReadonlySet<number>,
): { outbox: Outbox; recalled: RequestRow[] } {
  const recalled: RequestRow[] = [];
  const rest = outbox.map((row) => {
    if (row.seq === undefined || sent.has(row.row) || isAnnounced(row, taker)) return row;
    const { seq: _, ...unsent } = row;
    recalled.push(unsent);
    return unsent;
  });
  return recalled.length === 0 ? { outbox, recalled } : { outbox: rest, recalled };
}

/** What a device of this standing may be sent. Rows that have their number already go in order or not at all. */
export function deliverable(outbox: Outbox, standing: Standing, taker: Taker): Outbox {
  if (standing === 'accepted') return outbox.filter((row) => isAnnounced(row, taker));
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
