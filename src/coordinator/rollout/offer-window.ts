import { deviceZone, isOpen, nextClosing, nextOpening, type Window } from '../../window/index.ts';

/** Whether any of the windows is open, and the times between which that stays so. */
export interface WindowVerdict {
  open: boolean;
  fromMs: number;
  untilMs: number;
}

export function judgeWindows(windows: readonly Window[], nowMs: number, zone: string | undefined): WindowVerdict {
  const open = windows.some((window) => isOpen(window, nowMs, zone));
  const changes = windows.map((window) =>
    isOpen(window, nowMs, zone) ? nextClosing(window, nowMs, zone) : nextOpening(window, nowMs, zone),
  );
  return { open, fromMs: nowMs, untilMs: Math.min(...changes.map((atMs) => atMs ?? Infinity)) };
}

/** Still true? A clock that was set back before the verdict asks anew. */
export function holds(verdict: WindowVerdict | undefined, nowMs: number): verdict is WindowVerdict {
  return verdict !== undefined && verdict.fromMs <= nowMs && nowMs < verdict.untilMs;
}

export function usesDeviceZone(windows: readonly Window[] | undefined): boolean {
  return windows?.some(({ zone }) => zone === deviceZone) === true;
}

export function describeWindows(windows: readonly Window[]): string {
  return windows.map(({ cron, durationSeconds, zone }) => `'${cron}' for ${durationSeconds} s in ${zone}`).join(', ');
}
