/** How often one address may come: a bucket of tokens for each, and a bound on how many are remembered. */
export class AddressLimit {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #maxAddresses: number;
  /** Oldest first. */
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor({ burst, perSecond, maxAddresses }: { burst: number; perSecond: number; maxAddresses: number }) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#maxAddresses = maxAddresses;
  }

  /** @param nowMs monotonic */
  admit(address: string, nowMs: number): boolean {
    const { tokens, atMs } = this.#buckets.get(address) ?? { tokens: this.#burst, atMs: nowMs };
    const filled = Math.min(this.#burst, tokens + ((nowMs - atMs) / 1_000) * this.#perSecond);
    const isAdmitted = filled >= 1;
    this.#buckets.delete(address);
    this.#buckets.set(address, { tokens: isAdmitted ? filled - 1 : filled, atMs: nowMs });
    if (this.#buckets.size > this.#maxAddresses) this.#buckets.delete(this.#buckets.keys().next().value!);
    return isAdmitted;
  }
}
