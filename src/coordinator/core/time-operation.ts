/** Signed time for devices that ask, and what they say of their clocks. */
import type { ClockEvent, TimeEvent } from '../../protocol/event.ts';
import { isSkewed } from '../identity/judge-clock.ts';
import { changeDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import { enqueueRequest } from './request-operation.ts';
import type { Turn } from './turn.ts';

/** A device takes no answer that is older than a minute. */
const answerTtlMs = 60_000;

export function answerTime(turn: Turn, deviceId: string, { nonce, knows }: TimeEvent): void {
  const { timeSigner, fleetId, live } = turn.state;
  // It asks again on its next connection; an answer that waits in the outbox would say nothing.
  if (timeSigner === undefined || live.get(deviceId)?.standing !== 'accepted') return;
  const payload = timeSigner.sign({ fleetId, deviceId, nonce }, turn.nowMs, knows);
  const expiresAtMs = turn.nowMs + answerTtlMs;
  enqueueRequest(turn, deviceId, { type: 'time.statement', key: nonce, payload, expiresAtMs });
}

/** An event each time that a clock goes wrong, comes right, or can't be set. */
export function noteClock(turn: Turn, deviceId: string, event: ClockEvent): void {
  const { source, skewMs, floorMs, reset } = event;
  const before = turn.state.devices.get(deviceId)?.clock;
  if (reset !== undefined) {
    appendOwnEvent(turn, { deviceId, type: 'coordinator.time-reset', key: '', payload: { outcome: reset, floorMs } });
  }
  // A reset that is not taken says nothing about what was wrong before.
  const refused = reset === undefined || reset === 'taken' ? event.refused : before?.refused;
  const clock = { atMs: turn.nowMs, source, skewMs, floorMs, ...(refused === undefined ? {} : { refused }) };
  changeDevice(turn, deviceId, { kind: 'clock', clock });
  const wasOff = before !== undefined && isSkewed(before.skewMs);
  if (isSkewed(skewMs) === wasOff && before?.refused === refused) return;
  const payload = { source, skewMs, floorMs, ...(refused === undefined ? {} : { refused }) };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.clock-skew', key: '', payload });
}
