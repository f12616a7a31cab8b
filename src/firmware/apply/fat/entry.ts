/**
 * A directory entry of 32 bytes: 0 name (11; byte 0: 00 end of the directory, E5 deleted), 11 attributes, 12 case
 * flags, 13 created (u8 tenths, u32 time and date), 18 u16 access date, 20 u16 cluster high, 22 u32 modified, 26 u16
 * cluster low, 28 u32 size. Entries of a long name stand before it, last part first: 0 number from 1 (last: | 0x40),
 * 11 0x0f, 13 checksum of the short name, and 13 UTF-16 units; after the end of the name 0, then ffff.
 */
import { entryBytes } from './geometry.ts';
import type { FatName } from './name.ts';
import { shortChecksum } from './name.ts';

export const attribute = { readOnly: 0x01, hidden: 0x02, system: 0x04, label: 0x08, directory: 0x10, archive: 0x20 } as const; // prettier-ignore
const longNameAttribute = 0x0f;
const attributeMask = 0x3f;
export const deleted = 0xe5;
const lastLong = 0x40;
const longUnits = 13;
const longOffsets = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/** 1980-01-01 00:00:00, fwup's only time: the same input gives the same image. */
const fixedTime = 0x0021_0000;

/** One entry within the bytes of its directory: writing to it changes them. */
export class Entry {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get attributes(): number {
    return this.bytes[11]! & attributeMask;
  }

  set attributes(value: number) {
    this.bytes[11] = value;
  }

  get isEnd(): boolean {
    return this.bytes[0] === 0;
  }

  get isFree(): boolean {
    return this.bytes[0] === 0 || this.bytes[0] === deleted;
  }

  get isLongPart(): boolean {
    return this.attributes === longNameAttribute;
  }

  get isLabel(): boolean {
    return (this.attributes & ~attribute.archive) === attribute.label;
  }

  get isDirectory(): boolean {
    return (this.attributes & attribute.directory) !== 0;
  }

  get isReadOnly(): boolean {
    return (this.attributes & attribute.readOnly) !== 0;
  }

  get shortName(): Buffer {
    return this.bytes.subarray(0, 11);
  }

  get size(): number {
    return this.bytes.readUInt32LE(28);
  }

  set size(value: number) {
    this.bytes.writeUInt32LE(value, 28);
  }

  /** The high half is FAT32's; elsewhere it may hold anything. */
  firstCluster(isFat32: boolean): number {
    const high = isFat32 ? this.bytes.readUInt16LE(20) * 0x1_0000 : 0;
    return high + this.bytes.readUInt16LE(26);
  }

  setFirstCluster(cluster: number, isFat32: boolean): void {
    this.bytes.writeUInt16LE(cluster & 0xffff, 26);
    if (isFat32) this.bytes.writeUInt16LE(cluster >>> 16, 20);
  }

  setCreated(): void {
    this.bytes.writeUInt32LE(fixedTime, 14);
  }

  /** Also forgets the access date, which nobody keeps. */
  setModified(): void {
    this.bytes.writeUInt32LE(fixedTime, 22);
  }

  clearAccessed(): void {
    this.bytes.writeUInt16LE(0, 18);
  }
}

export function entryCount({ long, needsLong }: FatName): number {
  return needsLong ? Math.ceil(long.length / longUnits) + 1 : 1;
}

/** All entries of a name in the order of the directory: the long parts, then the short one with nothing but its name. */
export function encodeName(name: FatName): Buffer {
  const count = entryCount(name);
  const bytes = Buffer.alloc(count * entryBytes);
  const checksum = shortChecksum(name.short);
  for (let part = count - 1; part > 0; part--) {
    const at = (count - 1 - part) * entryBytes;
    bytes[at] = part === count - 1 ? part | lastLong : part;
    bytes[at + 11] = longNameAttribute;
    bytes[at + 13] = checksum;
    longOffsets.forEach((offset, index) => {
      const position = (part - 1) * longUnits + index;
      const { length } = name.long;
      const unit = position < length ? name.long.charCodeAt(position) : position === length ? 0 : 0xffff;
      bytes.writeUInt16LE(unit, at + offset);
    });
  }
  const short = (count - 1) * entryBytes;
  bytes.set(name.short, short);
  bytes[short + 12] = name.caseFlags;
  return bytes;
}

/** `.` or `..`. */
export function encodeDots(dots: '.' | '..', cluster: number, isFat32: boolean): Buffer {
  const entry = new Entry(Buffer.alloc(entryBytes));
  entry.bytes.write(dots.padEnd(11), 'latin1');
  entry.attributes = attribute.directory;
  entry.setModified();
  entry.setFirstCluster(cluster, isFat32);
  return entry.bytes;
}

/** Puts a long name together from its parts as they come, and says whether they belong to a short name. */
export class LongName {
  #expected = 0;
  #checksum = 0;
  #text = '';
  /** Index of the first entry of the name. */
  start = 0;

  reset(): void {
    this.#expected = 0;
    this.#text = '';
  }

  add({ bytes }: Entry, index: number): void {
    const order = bytes[0]!;
    if (order & lastLong) {
      this.#expected = order & ~lastLong;
      this.#checksum = bytes[13]!;
      this.#text = '';
      this.start = index;
    }
    const isNext = (order & ~lastLong) === this.#expected && this.#expected > 0 && bytes[13] === this.#checksum;
    if (!isNext || bytes.readUInt16LE(26) !== 0) return this.reset();
    const units = longOffsets.map((offset) => bytes.readUInt16LE(offset));
    const end = units.indexOf(0);
    const own = end < 0 ? units : units.slice(0, end);
    this.#text = String.fromCharCode(...own) + this.#text;
    this.#expected = this.#expected === 1 ? -1 : this.#expected - 1;
  }

  /** The whole name, if it is one of this short name. */
  of(short: Uint8Array): string | undefined {
    return this.#expected === -1 && this.#checksum === shortChecksum(short) ? this.#text : undefined;
  }
}
