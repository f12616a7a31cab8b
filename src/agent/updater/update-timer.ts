/**
 * How long an update has been in its state. Counted by the machine's uptime, which no clock can set; a restart of the
 * machine loses what was not written down, and costs a second, so that nothing lasts for ever by restarts alone.
 */
import type { Update, UpdateTimer } from './update.ts';

/** When something happens: by the clock, and by what no clock can set. */
export interface Instant {
  nowMs: number;
  bootId: string;
  /** Of that boot. */
  uptimeMs: number;
}

/** What a restart of the machine costs at least. */
export const restartCostMs = 1_000;

/** The timer as it stands now. */
export function timerAt(
  { timer, wait }: Partial<Pick<Update, 'timer' | 'wait'>>,
  { bootId, uptimeMs }: Instant,
): UpdateTimer {
  if (timer === undefined) return { bootId, uptimeMs, spentMs: 0, waitedMs: {} };
  const passedMs = timer.bootId === bootId ? Math.max(0, uptimeMs - timer.uptimeMs) : restartCostMs;
  const { spentMs, waitedMs } = timer;
  if (wait === undefined) return { bootId, uptimeMs, spentMs: spentMs + passedMs, waitedMs };
  const total = (waitedMs[wait.code] ?? 0) + passedMs;
  return { bootId, uptimeMs, spentMs, waitedMs: { ...waitedMs, [wait.code]: total } };
}

/** The same for another state: what was waited for hooks was of the state before. */
export function timerOfNext({ spentMs: _, waitedMs, ...mark }: UpdateTimer): UpdateTimer {
  const { 'hook-retry': __, ...kept } = waitedMs;
  return { ...mark, spentMs: 0, waitedMs: kept };
}

/** How much has passed since the record was written: what a power cut forgets. */
export function unwrittenMs(timer: UpdateTimer | undefined, { bootId, uptimeMs }: Instant): number {
  return timer?.bootId === bootId ? uptimeMs - timer.uptimeMs : Infinity;
}
