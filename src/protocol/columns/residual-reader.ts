import { ProtocolError } from '../protocol-error.ts';
import type { BodyReader } from './body-reader.ts';
import { Coding, dividedBit, domainBit, partBit, rangeContext, riceEscape, startBit, unfold } from './coding.ts';
import { maxResidual } from './limit.ts';
import type { RangeDecoder, RangeModel } from './range-coder.ts';

export interface ColumnHead {
  coding: number;
  predictor: number;
  domain: number | undefined;
  /** Takes the place of cell 0. */
  start: bigint | undefined;
  divisor: number;
}

export function readHead(reader: BodyReader, mayHaveDomain: boolean): ColumnHead {
  const head = reader.byte();
  if ((head & 7) > Coding.plain) throw new ProtocolError('value', `column method ${head}`);
  const hasDomain = (head & domainBit) !== 0;
  if (hasDomain && !mayHaveDomain) throw new ProtocolError('value', 'a domain for a column without one');
  const domain = hasDomain ? reader.byte() : undefined;
  const start = head & startBit ? readLong(reader) : undefined;
  const divisor = head & dividedBit ? reader.varint(maxResidual - 1) : 1;
  if (head & dividedBit && divisor < 2) throw new ProtocolError('value', `divisor ${divisor}, expected at least 2`);
  return { coding: head & 7, predictor: (head >> 3) & 3, domain, start, divisor };
}

function readLong(reader: BodyReader): bigint {
  const bytes = reader.bytes(8);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true);
}

/** Residuals of every coding but `plain` in more than 6 bytes; each is below 2^51 in size. */
export function readResiduals(
  reader: BodyReader,
  { coding, divisor }: ColumnHead,
  residuals: Float64Array,
  length: number,
  range: { decoder: RangeDecoder | undefined; model: RangeModel | undefined },
): void {
  switch (coding) {
    case Coding.zero:
      residuals.fill(0, 0, length);
      break;
    case Coding.constant:
      residuals.fill(reader.signed(), 0, length);
      break;
    case Coding.runs:
      readRuns(reader, residuals, length);
      break;
    case Coding.pack:
      readPack(reader, residuals, length);
      break;
    case Coding.rice:
      readRiceColumn(reader, residuals, length);
      break;
    case Coding.range:
      if (range.decoder === undefined || range.model === undefined) {
        throw new ProtocolError('value', 'a range coded column where none may be');
      }
      readRange(range.decoder, range.model, residuals, length);
      break;
    default:
      throw new ProtocolError('value', 'a plain column is too wide here');
  }
  for (let i = 0; i < length; i += 1) {
    const r = residuals[i]! * divisor;
    if (!(Math.abs(r) < maxResidual)) throw new ProtocolError('value', 'a residual is out of range');
    residuals[i] = r;
  }
}

function readRuns(reader: BodyReader, residuals: Float64Array, length: number): void {
  const count = reader.varint(length);
  if (count < 2) throw new ProtocolError('value', 'runs of one value');
  let at = 0;
  for (let n = 1; n <= count; n += 1) {
    const value = reader.signed();
    const end = n === count ? length : at + 1 + reader.varint(length);
    if (end <= at || end > length) throw new ProtocolError('value', 'runs are longer than the column');
    residuals.fill(value, at, end);
    at = end;
  }
}

function readPack(reader: BodyReader, residuals: Float64Array, length: number): void {
  const head = reader.byte();
  const width = head & 63;
  if (head >= 0x80 || width > 52) throw new ProtocolError('value', `packed width ${head}`);
  const least = reader.signed();
  reader.expectBits(width * length);
  for (let i = 0; i < length; i += 1) residuals[i] = least + reader.bits(width);
  reader.alignBits();
  if ((head & partBit) === 0) return;
  const exceptions = reader.varint(length);
  if (exceptions === 0) throw new ProtocolError('value', 'no exceptions where some are announced');
  const span = 2 ** width;
  let next = 0;
  for (let n = 0; n < exceptions; n += 1) {
    const at = next + reader.varint(length);
    if (at >= length) throw new ProtocolError('value', 'an exception after the end of its column');
    const high = reader.signed();
    if (high === 0) throw new ProtocolError('value', 'an exception that is none');
    residuals[at] = residuals[at]! + high * span;
    next = at + 1;
  }
}

function readRiceColumn(reader: BodyReader, residuals: Float64Array, length: number): void {
  const head = reader.byte();
  const k = head & 63;
  if (head >= 0x80 || k > 52) throw new ProtocolError('value', `Rice parameter ${head}`);
  const middle = head & partBit ? reader.signed() : 0;
  if (head & partBit && middle === 0) throw new ProtocolError('value', 'a middle of 0 is left out');
  reader.expectBits(length * (k + 1));
  for (let i = 0; i < length; i += 1) residuals[i] = middle + unfold(readRice(reader, k));
  reader.alignBits();
}

/** A folded number below 2^53. */
export function readRice(reader: BodyReader, k: number): number {
  const quotient = reader.ones(riceEscape);
  if (quotient < riceEscape) return quotient * 2 ** k + reader.bits(k);
  const length = reader.bits(6) + 1;
  if (length > 52) throw new ProtocolError('value', 'a number of more than 52 bits');
  const value = reader.bits(length);
  if (value < 2 ** (length - 1)) throw new ProtocolError('value', 'an escaped number is not in its shortest form');
  return value;
}

function readRange(range: RangeDecoder, model: RangeModel, residuals: Float64Array, length: number): void {
  let signContext: number = rangeContext.sign;
  for (let i = 0; i < length; i += 1) {
    let node = 1;
    for (let n = 0; n < 6; n += 1) node = node * 2 + range.bit(model, rangeContext.bits + node);
    const bits = node - 64;
    if (bits > 51) throw new ProtocolError('value', 'a residual of more than 51 bits');
    if (bits === 0) {
      signContext = rangeContext.sign;
      residuals[i] = 0;
      continue;
    }
    const sign = range.bit(model, signContext);
    signContext = rangeContext.sign + 1 + sign;
    const context = rangeContext.mantissa + bits * 3;
    let size = 1;
    if (bits > 1) {
      const top = range.bit(model, context);
      size = 2 + top;
      if (bits > 2) size = size * 2 + range.bit(model, context + 1 + top);
      for (let n = bits - 4; n >= 0; n -= 1) size = size * 2 + range.evenBit();
    }
    residuals[i] = sign === 1 ? -size : size;
  }
}
