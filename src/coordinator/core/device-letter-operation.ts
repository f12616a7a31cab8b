import type { DeadLetterEvent } from '../../protocol/event.ts';
import { parkLetter } from './park-letter.ts';
import type { Turn } from './turn.ts';

/** `flotilla.deadletter`: a request that the device has given up. The store adds the bytes that we had sent. */
export function noteGivenUp(turn: Turn, deviceId: string, event: DeadLetterEvent): void {
  const { type, key, lane, seq, attempts, reason } = event;
  parkLetter(turn, {
    deviceId,
    instanceId: turn.state.live.get(deviceId)?.instanceId ?? '',
    lane,
    seq,
    type,
    key,
    timestampMs: turn.nowMs,
    receivedAtMs: turn.nowMs,
    payload: new Uint8Array(0),
    layer: 'device',
    code: 'given-up',
    reason,
    attempts: Math.max(1, attempts),
  });
}
