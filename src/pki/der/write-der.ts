/** DER written: each function returns a whole element. */
import { DerTag } from './read-der.ts';

export function writeElement(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag, ...writeLength(length)]), ...content]);
}

export function writeSequence(...parts: readonly Uint8Array[]): Buffer {
  return writeElement(DerTag.sequence, ...parts);
}

export function writeObjectId(dotted: string): Buffer {
  const [root = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return writeElement(DerTag.objectId, Buffer.from([root * 40 + second, ...rest].flatMap(base128)));
}

/** A number of 0 or more. */
export function writeInteger(value: bigint | number): Buffer {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return writeElement(DerTag.integer, bytes[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
}

export function writeOctets(bytes: Uint8Array): Buffer {
  return writeElement(DerTag.octetString, bytes);
}

/** Whole bytes. */
export function writeBits(bytes: Uint8Array): Buffer {
  return writeElement(DerTag.bitString, Buffer.alloc(1), bytes);
}

export function writeTrue(): Buffer {
  return writeElement(DerTag.boolean, Buffer.from([0xff]));
}

/** UTCTime through 2049 and GeneralizedTime beyond, in whole seconds (RFC 5280, 4.1.2.5). */
export function writeTime(timeMs: number): Buffer {
  const date = new Date(timeMs);
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  const utc = date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050;
  return utc
    ? writeElement(DerTag.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : writeElement(DerTag.generalizedTime, Buffer.from(digits, 'latin1'));
}

function writeLength(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}
