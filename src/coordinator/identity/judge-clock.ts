/** The device's own bound: below it a clock is left alone, beyond it signed time beats it. */
export const maxSkewMs = 120_000;

export function isSkewed(skewMs: number): boolean {
  return Math.abs(skewMs) > maxSkewMs;
}
