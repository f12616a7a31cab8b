import type { Lane } from '../../protocol/lane.ts';
import type { GapReason } from '../../protocol/message.ts';
import type { LaneCursor } from '../../store/row.ts';
import type { ConnectionId } from '../gateway/port.ts';
import { zeroCursor } from './core-state.ts';
import { noteMissing } from './device-log-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import { liveOf } from './link-operation.ts';
import type { Turn } from './turn.ts';

/**
 * Numbers that no event will ever have: the cursor goes past them, so that a lane that ends with them does not lag, and
 * an event of ours says which and why.
 */
export function storeGap(
  turn: Turn,
  connection: ConnectionId,
  { lane, upToSeq, reason }: { lane: Lane; upToSeq: number; reason: GapReason },
): void {
  const peer = liveOf(turn, connection);
  if (peer === undefined) return;
  const {
    deviceId,
    live: { instanceId },
  } = peer;
  const cursors = turn.state.cursors.get(deviceId) ?? new Map<string, LaneCursor>();
  const cursor = cursors.get(instanceId) ?? zeroCursor;
  const storedSeq = cursor[lane];
  turn.afterCommit((gateway) => gateway.acknowledge(connection, lane, Math.max(storedSeq, upToSeq)));
  if (upToSeq <= storedSeq) return;
  const payload = { instanceId, lane, from: storedSeq + 1, to: upToSeq, reason };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.gap', key: '', payload });
  turn.set(
    turn.state.cursors,
    deviceId,
    new Map(cursors).set(instanceId, cursor.with(lane, upToSeq) as unknown as LaneCursor),
  );
  const atMs = turn.state.laneTimes.get(deviceId)?.[lane] ?? 0;
  turn.write({ kind: 'cursor', cursor: { deviceId, instanceId, lane, seq: upToSeq, atMs } });
  // What was superseded, withdrawn or another history's is not missing here.
  if (reason === 'not-kept' || reason === 'disk-pressure') noteMissing(turn, deviceId, upToSeq - storedSeq);
}
