import type { ByteWriter } from '../byte-writer.ts';
import type { Chain } from './chain.ts';
import { Coding, Predictor, bitLength, domainBit, startBit } from './coding.ts';
import { maxBatchRows, maxExact, maxResidual } from './limit.ts';
import type { RangeEncoder, RangeModel } from './range-coder.ts';
import { ResidualWriter, writeLong } from './residual-writer.ts';

/** Chooses the predictor of a column of whole numbers and writes the column. */
export class ColumnWriter {
  readonly #residuals: ResidualWriter;
  #best = new Float64Array(maxBatchRows);
  #next = new Float64Array(maxBatchRows);

  constructor(range: RangeEncoder | undefined) {
    this.#residuals = new ResidualWriter(range);
  }

  /**
   * @param cells see Chain; each below 2^48 in size
   * @param streams of the batch: with one, `row` is the same as `delta`
   */
  write(
    out: ByteWriter,
    cells: Float64Array,
    chain: Chain,
    domain: number | undefined,
    model: RangeModel | undefined,
  ): void {
    const { length, offset } = chain;
    let best: Predictor = Predictor.delta;
    let least = Infinity;
    for (const predictor of offset > 3 ? [1, 2, 0, 3] : [1, 2, 0]) {
      subtract(this.#next, cells, chain, predictor);
      const cost = spread(this.#next, length);
      if (cost >= least) continue;
      least = cost;
      best = predictor as Predictor;
      [this.#best, this.#next] = [this.#next, this.#best];
      if (cost === 0) break;
    }
    this.#residuals.write(out, this.#best, length, best, domain, model);
  }

  /** The same for cells that are no exact doubles: one of them is not below 2^48. */
  writeWide(
    out: ByteWriter,
    cells: BigInt64Array,
    chain: Chain,
    domain: number | undefined,
    model: RangeModel | undefined,
  ): void {
    const { length } = chain;
    let best = cheapestWide(cells, chain);
    let start: bigint | undefined;
    if (!best.fits && chain.first[0] === 0) {
      // Nothing is known to predict the first value from: it travels by itself.
      start = cells[chain.offset]!;
      const started = cells.slice();
      started[0] = start;
      best = cheapestWide(started, chain);
    }
    const { predictor, residuals, fits } = best;
    if (fits) {
      for (let i = 0; i < length; i += 1) this.#best[i] = Number(residuals[i]!);
      this.#residuals.write(out, this.#best, length, predictor, domain, model, start);
      return;
    }
    out.byte(
      Coding.plain | (predictor << 3) | (domain === undefined ? 0 : domainBit) | (start === undefined ? 0 : startBit),
    );
    if (domain !== undefined) out.byte(domain);
    if (start !== undefined) writeLong(out, start);
    out.byte(8);
    for (const r of residuals) writeLong(out, r);
  }

  /** Residuals that the caller has made: of a column with a predictor of its own. */
  writeResiduals(out: ByteWriter, residuals: Float64Array, length: number): void {
    this.#residuals.write(out, residuals, length, 0, undefined, undefined);
  }
}

export function allExact(cells: Float64Array, length: number): boolean {
  // NaN compares false.
  for (let i = 0; i < length; i += 1) if (!(cells[i]! < maxExact && cells[i]! > -maxExact)) return false;
  return true;
}

function subtract(residuals: Float64Array, cells: Float64Array, chain: Chain, predictor: number): void {
  const { first, second, offset, length } = chain;
  switch (predictor) {
    case Predictor.none:
      for (let i = 0; i < length; i += 1) residuals[i] = cells[offset + i]!;
      break;
    case Predictor.delta:
      for (let i = 0; i < length; i += 1) residuals[i] = cells[offset + i]! - cells[first[i]!]!;
      break;
    case Predictor.slope:
      for (let i = 0; i < length; i += 1) {
        residuals[i] = cells[offset + i]! - 2 * cells[first[i]!]! + cells[second[i]!]!;
      }
      break;
    default:
      residuals[0] = cells[offset]! - cells[first[0]!]!;
      for (let i = 1; i < length; i += 1) residuals[i] = cells[offset + i]! - cells[offset + i - 1]!;
  }
}

function cheapestWide(
  cells: BigInt64Array,
  chain: Chain,
): { predictor: Predictor; residuals: bigint[]; fits: boolean } {
  const attempts = [Predictor.delta, Predictor.slope, Predictor.none].map((predictor) => {
    const residuals = subtractWide(cells, chain, predictor);
    let cost = 0;
    let fits = true;
    for (const r of residuals) {
      const size = Math.abs(Number(r));
      cost += bitLength(size);
      fits &&= size < maxResidual;
    }
    return { predictor, residuals, fits, cost: fits ? cost : Infinity };
  });
  let best = attempts[0]!;
  for (const attempt of attempts) if (attempt.cost < best.cost) best = attempt;
  return best;
}

function subtractWide(cells: BigInt64Array, chain: Chain, predictor: Predictor): bigint[] {
  const { first, second, offset, length } = chain;
  return Array.from({ length }, (_, i) => {
    const value = cells[offset + i]!;
    if (predictor === Predictor.none) return value;
    const delta = value - cells[first[i]!]!;
    if (predictor === Predictor.delta) return BigInt.asIntN(64, delta);
    return BigInt.asIntN(64, delta - cells[first[i]!]! + cells[second[i]!]!);
  });
}

/** Bits of the residuals around a typical one: what the codings will need, less their constant part. */
function spread(residuals: Float64Array, length: number): number {
  const a = residuals[length >> 2]!;
  const b = residuals[length >> 1]!;
  const c = residuals[(length * 3) >> 2]!;
  const typical = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
  let bits = 0;
  for (let i = 0; i < length; i += 1) {
    const size = Math.abs(residuals[i]! - typical);
    bits += size < 0x8000_0000 ? 32 - Math.clz32(size) : bitLength(size);
  }
  if (typical === 0) return bits;
  // All the same are written once: one that differs takes more than that.
  return bits === 0 ? 0.5 : bits + 8;
}
