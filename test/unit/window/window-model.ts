/** A naive twin of a window: it looks at the clock on the wall of every single minute, and knows nothing of croner. */
export interface ModelCron {
  minutes: number[];
  /** Undefined: every hour, by a wildcard. */
  hours: number[] | undefined;
}

/** Of each minute: is the window open? Openings before the first minute are not seen. */
export function modelOf(cron: ModelCron, durationMinutes: number, walls: readonly number[]): boolean[] {
  const count = walls.length;
  const open = Array.from({ length: count }, () => false);
  for (let minute = 1; minute < count; minute += 1) {
    if (!opensAt(cron, walls, minute)) continue;
    for (let held = minute; held < Math.min(count, minute + durationMinutes); held += 1) open[held] = true;
  }
  return open;
}

function opensAt(cron: ModelCron, walls: readonly number[], minute: number): boolean {
  const wall = walls[minute]!;
  const before = walls[minute - 1]!;
  if (cron.hours === undefined) return matches(cron, wall);
  // The second time that the clock shows it: within a day, the same wall time was there before.
  if (matches(cron, wall) && !walls.slice(Math.max(0, minute - 180), minute).includes(wall)) return true;
  // The clock has jumped over a time that was named.
  for (let skipped = before + 1; skipped < wall; skipped += 1) if (matches(cron, skipped)) return true;
  return false;
}

function matches({ minutes, hours }: ModelCron, wall: number): boolean {
  return minutes.includes(wall % 60) && (hours === undefined || hours.includes(Math.floor(wall / 60) % 24));
}

/** Minutes since 1970 that the clock on the wall shows, of each minute from the start on. */
export function wallsOf(zone: string, startMs: number, count: number): number[] {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return Array.from({ length: count }, (_, minute) => {
    const part = Object.fromEntries(
      format.formatToParts(startMs + minute * 60_000).map(({ type, value }) => [type, Number(value)]),
    );
    return Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute']) / 60_000;
  });
}
