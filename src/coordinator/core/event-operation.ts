import type { RowBlock } from '../../protocol/packed-rows.ts';
import type { EventBlockRow, EventRow } from '../../store/row.ts';
import type { Turn } from './turn.ts';

/** Stores a row of the log under the next offset. */
export function appendEvent(turn: Turn, row: Omit<EventRow, 'offset'>): void {
  const event = { offset: turn.next('offset'), ...row };
  turn.write({ kind: 'event', event });
  turn.notify({ kind: 'event' });
}

/** Stores the rows of a block but for the first `skip`, under the next offsets. */
export function appendBlock(
  turn: Turn,
  {
    skip,
    block,
    ...place
  }: Omit<EventBlockRow, 'firstOffset' | 'receivedAtMs' | 'count' | 'bytes'> & { block: RowBlock },
): void {
  const firstOffset = turn.reserve('offset', block.count - skip);
  const { count, bytes } = block;
  turn.write({ kind: 'event-block', block: { ...place, skip, firstOffset, count, bytes, receivedAtMs: turn.nowMs } });
  turn.notify({ kind: 'event' });
}

/** A row of the coordinator's own, about a device or about itself (''). */
export function appendOwnEvent(
  turn: Turn,
  { deviceId, type, key, payload }: { deviceId: string; type: string; key: string; payload: Record<string, unknown> },
): void {
  const { nowMs, state } = turn;
  appendEvent(turn, {
    deviceId,
    instanceId: state.instanceId,
    lane: 0,
    seq: 0,
    type,
    key,
    timestampMs: nowMs,
    receivedAtMs: nowMs,
    payload: Buffer.from(JSON.stringify(payload)),
  });
}
