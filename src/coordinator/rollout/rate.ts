import type { Rollout } from '../../client/contract/rollout.ts';

type Limits = Pick<Rollout['policy'], 'perMinute' | 'ramp'>;

const minuteMs = 60_000;
const secondMs = 1_000;

/** Offers of one second. */
export interface OfferCount {
  atMs: number;
  count: number;
}

/** Offers that were made in the last 60 seconds. */
export function offersLately(recent: readonly OfferCount[] | undefined, nowMs: number): number {
  return (recent ?? []).reduce((sum, { atMs, count }) => sum + (isLately(atMs, nowMs) ? count : 0), 0);
}

export function withOffer(recent: readonly OfferCount[] | undefined, nowMs: number): OfferCount[] {
  // Of one second the last offer counts as the time of all: the minute is never counted too short.
  const kept = (recent ?? []).filter(({ atMs }) => isLately(atMs, nowMs));
  const last = kept.at(-1);
  if (last === undefined || Math.floor(last.atMs / secondMs) !== Math.floor(nowMs / secondMs))
    return [...kept, { atMs: nowMs, count: 1 }];
  return kept.with(kept.length - 1, { atMs: Math.max(last.atMs, nowMs), count: last.count + 1 });
}

/** After the clock was set back: what was offered in a time to come counts as offered now, and is over in a minute. */
export function withoutFuture(recent: OfferCount[] | undefined, nowMs: number): OfferCount[] | undefined {
  if (recent?.some(({ atMs }) => atMs > nowMs) !== true) return recent;
  return recent.map(({ atMs, count }) => ({ atMs: Math.min(atMs, nowMs), count }));
}

function isLately(atMs: number, nowMs: number): boolean {
  return nowMs - atMs < minuteMs;
}

/** Offers that any 60 seconds may have, with so many proven devices; undefined: no limit. */
export function rateLimit({ perMinute, ramp }: Limits, proven: number): number | undefined {
  if (ramp === undefined) return perMinute;
  const grown = Math.floor(ramp.from * ramp.factor ** Math.floor(proven / ramp.successes));
  return Math.min(grown, perMinute ?? Infinity);
}

export function countsOffers({ perMinute, ramp }: Limits): boolean {
  return perMinute !== undefined || ramp !== undefined;
}
