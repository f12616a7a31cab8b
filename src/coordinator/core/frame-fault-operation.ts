/** Bytes that are no frames: a device that sends them again and again is broken, or is not what it says it is. */
import { auditRule } from '../audit/write-audit.ts';
import type { FrameFault } from '../gateway/port.ts';
import { quarantineDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import { parkLetter } from './park-letter.ts';
import type { Turn } from './turn.ts';

const windowMs = 600_000;
const maxFaults = 3;
/** Devices that are counted at once; the one that was quiet longest makes room. */
const maxCounted = 10_000;

/** The connection is over already; after the third in ten minutes the device is quarantined. */
export function noteFrameFault(turn: Turn, { deviceId, detail, bytes }: FrameFault): void {
  const { state, nowMs } = turn;
  const recent = (state.frameFaults.get(deviceId) ?? []).filter((atMs) => atMs > nowMs - windowMs);
  const times = [...recent, nowMs];
  turn.delete(state.frameFaults, deviceId); // to the end of the map: the first is the one that was quiet longest
  turn.set(state.frameFaults, deviceId, times.slice(-maxFaults));
  if (state.frameFaults.size > maxCounted) turn.delete(state.frameFaults, state.frameFaults.keys().next().value!);
  if (recent.length >= maxFaults) return; // enough is kept of it
  parkLetter(turn, {
    deviceId,
    instanceId: '',
    lane: 0,
    seq: 0,
    type: '',
    key: '',
    timestampMs: nowMs,
    receivedAtMs: nowMs,
    payload: bytes,
    layer: 'frame',
    code: 'protocol-error',
    reason: detail,
  });
  const reason = `${maxFaults} protocol errors in ${windowMs / 60_000} minutes, the last: ${detail}`;
  if (times.length < maxFaults || !quarantineDevice(turn, deviceId, { by: 'coordinator', reason })) return;
  appendOwnEvent(turn, { deviceId, type: 'coordinator.quarantined', key: '', payload: { reason } });
  const note = { action: 'device.quarantine', subject: deviceId, detail: { reason }, devices: [deviceId] };
  auditRule(turn, 'frame-fault', note);
}
