/** Seconds since 1970 as fwup writes dates: ISO 8601, UTC, no fractions. */
export function isoSeconds(epochSeconds: number): string {
  return new Date(epochSeconds * 1000).toISOString().replace('.000Z', 'Z');
}
