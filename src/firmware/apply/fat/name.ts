import type { ByteString } from '../../config/source-text.ts';
import { byteOf, shortNameByte, unicodeOf, upperOf } from './code-page.ts';
import { FatFault } from './fat-fault.ts';

const maxLongUnits = 255;
const forbidden = /[*:<>|"?\x7f]/;
/** Allowed in long names only; `_` in short ones. */
const longOnly = '+,;=[]';
/** Bits of byte 12 of an entry: a short name of one case, written small. */
export const caseFlag = { base: 0x08, extension: 0x10 } as const;

/** One part of a path, ready to be looked for or to become an entry. */
export interface FatName {
  /** As given, in Unicode, without trailing dots and spaces. */
  readonly long: string;
  /** 11 bytes: base and extension, filled with spaces, upper case. */
  readonly short: Buffer;
  readonly caseFlags: number;
  /** Whether entries of a long name are needed to keep it. */
  readonly needsLong: boolean;
  /** Whether the short name lost something, so that it has to be made unique by a number. */
  readonly isLossy: boolean;
}

/** The parts of a path; `/` and `\` separate, also several in a row, at the start and at the end. */
export function pathParts(path: ByteString): ByteString[] {
  return path.split(/[/\\]+/).filter((part) => part !== '');
}

export function parseName(part: ByteString): FatName {
  const invalid = new FatFault('invalid-name');
  // eslint-disable-next-line no-control-regex
  if (forbidden.test(part) || /[\0-\x1f]/.test(part) || part.length > maxLongUnits) throw invalid;
  const long = [...Buffer.from(part, 'latin1')]
    .map(unicodeOf)
    .join('')
    .replace(/[ .]+$/, '');
  if (long === '') throw invalid;
  const dot = long.lastIndexOf('.');
  const base = dot < 0 ? long : long.slice(0, dot);
  const extension = dot < 0 ? '' : long.slice(dot + 1);
  const first = shortField(base, 8);
  const second = shortField(extension, 3);
  const isLossy = first.isLossy || second.isLossy || long.startsWith('.');
  const needsLong = isLossy || first.needsLong || second.needsLong;
  const short = Buffer.alloc(11, ' ');
  short.set(first.bytes);
  short.set(second.bytes, 8);
  if (short[0] === 0xe5) short[0] = 0x05; // 0xe5 marks a deleted entry
  const caseFlags = needsLong ? 0 : (first.isSmall ? caseFlag.base : 0) | (second.isSmall ? caseFlag.extension : 0);
  return { long, short, caseFlags, needsLong, isLossy };
}

interface ShortField {
  readonly bytes: number[];
  readonly needsLong: boolean;
  readonly isLossy: boolean;
  readonly isSmall: boolean;
}

function shortField(text: string, length: number): ShortField {
  const bytes: number[] = [];
  let isLossy = false;
  let isExtended = false;
  let hasUpper = false;
  let hasLower = false;
  for (const character of text) {
    if (character === ' ' || character === '.') {
      isLossy = true;
      continue;
    }
    if (bytes.length === length) {
      isLossy = true;
      break;
    }
    const byte = byteOf(character)!;
    if (byte >= 0x80) isExtended = true;
    const plain = byte >= 0x80 ? shortNameByte(byte) : byte;
    if (longOnly.includes(character)) isLossy = true;
    if (plain >= 0x41 && plain <= 0x5a) hasUpper = true;
    if (plain >= 0x61 && plain <= 0x7a) hasLower = true;
    bytes.push(longOnly.includes(character) ? 0x5f : hasLowerByte(plain) ? plain - 0x20 : plain);
  }
  return { bytes, needsLong: isExtended || (hasUpper && hasLower), isLossy, isSmall: hasLower && !hasUpper };
}

const hasLowerByte = (byte: number): boolean => byte >= 0x61 && byte <= 0x7a;

/**
 * The short name with a number: `LONGNA~1`. From the sixth try on the number is a hash of the long name, so that many
 * alike names do not need many tries.
 */
export function numberedShort({ short, long }: FatName, attempt: number): Buffer {
  let number = attempt;
  if (attempt > 5) {
    // Bit by bit, lowest first, into a 16-bit CRC (polynomial 0x1021) that starts with the attempt.
    for (let index = 0; index < long.length; index++) {
      const unit = long.charCodeAt(index);
      for (let bit = 0; bit < 16; bit++) {
        number = number * 2 + ((unit >> bit) & 1);
        if (number & 0x1_0000) number ^= 0x1_1021;
      }
    }
  }
  const suffix = `~${number.toString(16).toUpperCase()}`;
  const base = short
    .toString('latin1', 0, 8)
    .replace(/ .*$/, '')
    .slice(0, 8 - suffix.length);
  return Buffer.from(`${base}${suffix}`.padEnd(8) + short.toString('latin1', 8, 11), 'latin1');
}

/** Ties the entries of a long name to the short one behind them. */
export function shortChecksum(short: Uint8Array): number {
  return short.reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
}

export function sameLongName(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) {
    if (upperOf(one[index]!) !== upperOf(other[index]!)) return false;
  }
  return true;
}
