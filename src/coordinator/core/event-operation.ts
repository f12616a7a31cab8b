import type { EventRow } from '../../store/row.ts';
import type { Turn } from './turn.ts';

/** Stores a row of the log under the next offset. */
export function appendEvent(turn: Turn, row: Omit<EventRow, 'offset'>): void {
  const event = { offset: turn.next('offset'), ...row };
  turn.write({ kind: 'event', event });
  turn.notify({ kind: 'event', event });
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
