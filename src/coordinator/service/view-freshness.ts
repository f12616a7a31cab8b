import type { Device } from '../../client/contract/device.ts';
import { laneCount } from '../../protocol/lane.ts';
import { zeroCursor, type CoreState } from '../core/core-state.ts';

/** How old what is known of a device is: now, when it is connected and nothing waits there that it has told of. */
export function viewFreshness(state: CoreState, id: string, nowMs: number): Device['freshness'] {
  const log = state.deviceLogs.get(id);
  const times = state.laneTimes.get(id);
  if (log === undefined) return undefined;
  const cursor = state.cursors.get(id)?.get(log.instanceId) ?? zeroCursor;
  const isLive = state.live.has(id);
  const lanes = Array.from({ length: laneCount }, (_, lane) => {
    const lagEvents = Math.max(0, (log.nextSeq[lane] ?? 1) - 1 - cursor[lane]!);
    const waitingBytes = log.report?.waitingBytes[lane];
    const storedAtMs = times?.[lane] ?? 0;
    return {
      lane,
      lagEvents,
      ...(waitingBytes === undefined ? {} : { lagBytes: lagEvents === 0 ? 0 : waitingBytes }),
      // A lane that was never used is as old as the last word of the device.
      asOfMs: isLive && lagEvents === 0 ? nowMs : storedAtMs > 0 ? storedAtMs : log.toldAtMs,
    };
  });
  const used = lanes.filter(({ lane, lagEvents }) => lagEvents > 0 || cursor[lane]! > 0);
  const behind = (used.length > 0 ? used : lanes).map(({ asOfMs }) => asOfMs);
  const lags = lanes.some(({ lagEvents }) => lagEvents > 0);
  // Lanes are written at times of their own: without a lag the newest word is how far everything is known.
  return { asOfMs: isLive && !lags ? nowMs : lags ? Math.min(...behind) : Math.max(...behind), lanes };
}

/** What the device has told of its log, and what of it will never come. */
export function viewLog(state: CoreState, id: string): Device['log'] {
  const log = state.deviceLogs.get(id);
  if (log === undefined || (log.report === undefined && log.missing === undefined && log.dropped === undefined))
    return undefined;
  const { report, missing, dropped } = log;
  const lastGapAtMs = Math.max(missing?.lastAtMs ?? 0, dropped?.lastAtMs ?? 0);
  return {
    ...(report === undefined
      ? {}
      : {
          reportedAtMs: report.atMs,
          eventsSinceStart: report.sinceStart.events,
          ...(report.sinceStart.writtenBytes === undefined
            ? {}
            : { writtenBytesSinceStart: report.sinceStart.writtenBytes }),
          droppedRows: report.droppedRows,
          deadRows: report.deadRows,
        }),
    missingRows: missing?.rows ?? 0,
    explainedRows: dropped?.rows ?? 0,
    ...(dropped === undefined ? {} : { gapReason: dropped.reason }),
    ...(lastGapAtMs === 0 ? {} : { lastGapAtMs }),
  };
}
