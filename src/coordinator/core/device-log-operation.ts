/** What is known of the log on a device: how far it has come there, and what of it will never come here. */
import type { GapEvent, LogEvent } from '../../protocol/event.ts';
import type { Lane } from '../../protocol/lane.ts';
import type { DeviceLogRow } from '../../store/row.ts';
import type { Turn } from './turn.ts';

function putLog(turn: Turn, log: DeviceLogRow): void {
  turn.set(turn.state.deviceLogs, log.deviceId, log);
  turn.write({ kind: 'device-log', log });
}

function logOf(turn: Turn, deviceId: string): DeviceLogRow {
  const known = turn.state.deviceLogs.get(deviceId);
  if (known !== undefined) return known;
  const instanceId = turn.state.devices.get(deviceId)?.instanceId ?? '';
  return { deviceId, instanceId, nextSeq: [1, 1, 1, 1], toldAtMs: turn.nowMs };
}

/** HELLO says how far the log on the device goes. What was told of another history is of no use any more. */
export function noteHello(turn: Turn, deviceId: string, instanceId: string, nextSeq: readonly number[]): void {
  const { report, ...known } = logOf(turn, deviceId);
  const sameReport = known.instanceId === instanceId && report !== undefined ? { report } : {};
  putLog(turn, { ...known, ...sameReport, instanceId, nextSeq: [...nextSeq], toldAtMs: turn.nowMs });
}

/** `flotilla.log`. */
export function noteReport(turn: Turn, deviceId: string, event: LogEvent): void {
  const { lanes, sinceStart, droppedRows, deadRows } = event;
  putLog(turn, {
    ...logOf(turn, deviceId),
    instanceId: turn.state.live.get(deviceId)?.instanceId ?? logOf(turn, deviceId).instanceId,
    nextSeq: lanes.map(({ nextSeq }) => nextSeq),
    toldAtMs: turn.nowMs,
    report: {
      atMs: turn.nowMs,
      waitingBytes: lanes.map(({ waitingBytes }) => waitingBytes),
      sinceStart: { ...sinceStart },
      droppedRows,
      deadRows,
    },
  });
}

/** Numbers of a lane that were left out: whatever stood there never came. */
export function noteMissing(turn: Turn, deviceId: string, rows: number): void {
  const log = logOf(turn, deviceId);
  putLog(turn, { ...log, missing: { rows: (log.missing?.rows ?? 0) + rows, lastAtMs: turn.nowMs } });
}

/** `flotilla.gap`: the device says what it gave up, and why. */
export function noteDropped(turn: Turn, deviceId: string, { rows, bytes, reason }: GapEvent): void {
  const log = logOf(turn, deviceId);
  const before = log.dropped ?? { rows: 0, bytes: 0 };
  putLog(turn, {
    ...log,
    dropped: { rows: before.rows + rows, bytes: before.bytes + bytes, lastAtMs: turn.nowMs, reason },
  });
}

/** 2000-01-01: a clock that is before it was never set. */
const firstSaneMs = 946_684_800_000;

/**
 * A lane's newest row is stored. Returns how old that makes what is known: by the writer's clock, as far as that one
 * can be believed.
 */
export function noteStored(turn: Turn, deviceId: string, lane: Lane, timestampMs: number): number {
  const atMs = timestampMs < firstSaneMs || timestampMs > turn.nowMs ? turn.nowMs : Math.trunc(timestampMs);
  const before = turn.state.laneTimes.get(deviceId) ?? [0, 0, 0, 0];
  turn.set(turn.state.laneTimes, deviceId, before.with(lane, atMs));
  return atMs;
}
