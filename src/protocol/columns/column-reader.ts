import { ProtocolError } from '../protocol-error.ts';
import type { BodyReader } from './body-reader.ts';
import type { Chain } from './chain.ts';
import { Coding, Predictor } from './coding.ts';
import { maxBatchRows, maxExact, maxResidual } from './limit.ts';
import { narrow } from './memory.ts';
import type { RangeDecoder, RangeModel } from './range-coder.ts';
import { readResiduals, type ColumnHead } from './residual-reader.ts';

/** Reads columns of whole numbers: the other side of ColumnWriter. */
export class ColumnReader {
  readonly #residuals = new Float64Array(maxBatchRows);
  readonly #wide = new BigInt64Array(maxBatchRows);
  #isWide = false;

  /** The residuals of the next column; its method byte is read already. */
  read(
    reader: BodyReader,
    head: ColumnHead,
    length: number,
    decoder: RangeDecoder | undefined,
    model: RangeModel | undefined,
  ): void {
    this.#isWide = false;
    if (head.coding === Coding.plain) this.#readPlain(reader, head, length);
    else readResiduals(reader, head, this.#residuals, length, { decoder, model });
  }

  get residuals(): Float64Array {
    if (this.#isWide) throw new ProtocolError('value', 'a column is wider than its values');
    return this.#residuals;
  }

  /**
   * Adds the predictions: the values stand in `cells` after it. False when one is not below 2^48 in size, so that the
   * cells are not to be used and `restoreWide` has to do it.
   */
  restore(cells: Float64Array, chain: Chain, { predictor, start }: ColumnHead): boolean {
    if (this.#isWide) return false;
    if (start !== undefined) cells[0] = narrow(start);
    // An unknown cell is NaN and so is what is made from it: it fails the test below.
    const { first, second, offset, length } = chain;
    const residuals = this.#residuals;
    for (let i = 0; i < length; i += 1) {
      let value = residuals[i]!;
      if (predictor === Predictor.delta) value += cells[first[i]!]!;
      else if (predictor === Predictor.slope) value += 2 * cells[first[i]!]! - cells[second[i]!]!;
      else if (predictor === Predictor.row) value += cells[i === 0 ? first[0]! : offset + i - 1]!;
      if (!(value < maxExact && value > -maxExact)) return false;
      cells[offset + i] = value;
    }
    return true;
  }

  restoreWide(cells: BigInt64Array, chain: Chain, { predictor, start }: ColumnHead): void {
    if (start !== undefined) cells[0] = start;
    const { first, second, offset, length } = chain;
    for (let i = 0; i < length; i += 1) {
      let value = this.#isWide ? this.#wide[i]! : BigInt(this.#residuals[i]!);
      if (predictor === Predictor.delta) value += cells[first[i]!]!;
      else if (predictor === Predictor.slope) value += 2n * cells[first[i]!]! - cells[second[i]!]!;
      else if (predictor === Predictor.row) value += cells[i === 0 ? first[0]! : offset + i - 1]!;
      cells[offset + i] = BigInt.asIntN(64, value);
    }
  }

  #readPlain(reader: BodyReader, { divisor }: ColumnHead, length: number): void {
    const width = reader.byte();
    if (width < 1 || width > 8) throw new ProtocolError('value', `plain width ${width}`);
    const bytes = reader.bytes(width * length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < length; i += 1) {
      let value = 0n;
      for (let n = 0; n < width; n += 1) value |= BigInt(view.getUint8(i * width + n)) << BigInt(8 * n);
      const residual = BigInt.asIntN(64, BigInt.asIntN(8 * width, value) * BigInt(divisor));
      const number = Number(residual);
      this.#wide[i] = residual;
      this.#residuals[i] = number;
      if (!(Math.abs(number) < maxResidual)) this.#isWide = true;
    }
  }
}
