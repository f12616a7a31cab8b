/** How much each caller or address may ask for: a bucket for each key, in bounded memory. Time is an argument. */
import { FlotillaError } from '../../error.ts';

export interface Rate {
  perSecond: number;
  /** What may be taken at once after a rest. */
  burst: number;
}

/** A bucket goes at most so many bursts into debt: who floods waits, and not for ever. */
const maxDebtBursts = 1;

export class RateLimiter {
  readonly #rate: Rate;
  readonly #maxKeys: number;
  /** When each bucket is full again; least recently used first. A key that is not here has a full one. */
  readonly #fullAtMs = new Map<string, number>();

  constructor(rate: Rate, maxKeys = 10_000) {
    this.#rate = rate;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#fullAtMs.size;
  }

  /** What is left; negative in debt. */
  level(key: string, nowMs: number): number {
    const { perSecond, burst } = this.#rate;
    const emptyMs = Math.max(0, (this.#fullAtMs.get(key) ?? 0) - nowMs);
    return burst - (emptyMs / 1000) * perSecond;
  }

  /** Takes it whether it is there or not. */
  charge(key: string, cost: number, nowMs: number): void {
    const { perSecond, burst } = this.#rate;
    const latestMs = nowMs + ((burst * (1 + maxDebtBursts)) / perSecond) * 1000;
    const fullAtMs = Math.max(this.#fullAtMs.get(key) ?? 0, nowMs) + (cost / perSecond) * 1000;
    this.#fullAtMs.delete(key);
    this.#fullAtMs.set(key, Math.min(fullAtMs, latestMs));
    if (this.#fullAtMs.size <= this.#maxKeys) return;
    const [oldest] = this.#fullAtMs.keys();
    if (oldest !== undefined) this.#fullAtMs.delete(oldest);
  }

  /** Takes it, or throws RateLimited and takes nothing. */
  take(key: string, cost: number, nowMs: number): void {
    const level = this.level(key, nowMs);
    if (level < cost) throw new RateLimited(key, Math.ceil((cost - level) / this.#rate.perSecond));
    this.charge(key, cost, nowMs);
  }
}

export class RateLimited extends FlotillaError {
  readonly retryAfterSeconds: number;

  constructor(key: string, retryAfterSeconds: number) {
    super('refused', 'rate-limited', 'too many requests', {
      seen: key,
      expected: 'fewer, or api: limits: of coordinator.yaml raised',
      suggestion: `try again in ${retryAfterSeconds} s; nothing was done`,
    });
    this.name = 'RateLimited';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** What an address counts as: a host of IPv6 has a whole /64 to choose from. */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array.from({ length: gap }, () => '0'), ...back];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
