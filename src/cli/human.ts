/** Numbers as a person reads them. Pure: the time is an argument. */

/** "0 B", "999 B", "1.2 KiB", "34 MiB". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** "0.4s", "12s", "3m20s", "2h5m", "3d4h": two units at most. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 9_950) return `${(Math.max(0, durationMs) / 1000).toFixed(1)}s`;
  const seconds = Math.round(durationMs / 1000);
  const pick = (large: number, largeUnit: string, small: number, smallUnit: string) =>
    small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return pick(Math.floor(seconds / 60), 'm', seconds % 60, 's');
  if (seconds < 86_400) return pick(Math.floor(seconds / 3600), 'h', Math.floor((seconds % 3600) / 60), 'm');
  return pick(Math.floor(seconds / 86_400), 'd', Math.floor((seconds % 86_400) / 3600), 'h');
}

/** "3m20s ago", "in 2h5m", "now". */
export function formatAge(timeMs: number | undefined, nowMs: number): string {
  if (timeMs === undefined) return 'never';
  const ageMs = nowMs - timeMs;
  if (Math.abs(ageMs) < 1000) return 'now';
  return ageMs > 0 ? `${formatDuration(ageMs)} ago` : `in ${formatDuration(-ageMs)}`;
}

/** "2026-11-22 21:30:05Z"; times out of Date's range are shown as the number. */
export function formatTime(timeMs: number | undefined): string {
  if (timeMs === undefined) return '-';
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return String(timeMs);
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

/** "1 device", "3 devices". */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
