import { crc32 } from 'node:zlib';
import type { ByteReader } from './byte-reader.ts';
import { inflateFrom } from './inflate.ts';
import { malformed, MemberDamage } from './malformed.ts';
import { storedUntilDescriptor } from './stored.ts';
import { extraId, findExtra, flag, fromDosTime, localHeaderBytes, method, signature } from './zip-format.ts';

export interface ZipMember {
  /** Byte string: one character a byte. */
  readonly name: string;
  readonly method: number;
  /** From the local header; undefined when it says nothing (bit 3 and size 0). */
  readonly sizeBytes: number | undefined;
  readonly compressedBytes: number | undefined;
  readonly crc: number | undefined;
  readonly mtimeSeconds: number;
  readonly localOffset: number;
  readonly hasDescriptor: boolean;
  readonly isZip64: boolean;
}

/** What a member turned out to be after its data was read. */
export interface ReadMember extends ZipMember {
  readonly actualCrc: number;
  readonly actualSize: number;
  readonly actualCompressed: number;
}

const maxNameBytes = 512;

/** Members in the order of the bytes. Every member's `data` must be read to its end before the next `next`. */
export class ZipReader {
  readonly #reader: ByteReader;
  /** Members whose data was read, for a comparison with the central directory. */
  readonly members: ReadMember[] = [];

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** The next member, or undefined where the members end (the central directory or the end of the bytes). */
  async next(): Promise<ZipMember | undefined> {
    const start = this.#reader.offset;
    const mark = await this.#reader.peek(4);
    if (mark.length === 0 && start > 0) return undefined;
    const found = mark.length === 4 ? mark.readUInt32LE(0) : 0;
    const isEnd = found === signature.central || found === signature.end || found === signature.end64;
    if (isEnd && start > 0) return undefined;
    if (found !== signature.local) {
      throw malformed(
        start === 0 ? 'not a .fw archive' : `garbage between members at byte ${start}`,
        mark.toString('hex'),
        'Unrecognized archive format',
      );
    }
    return this.#localHeader(start);
  }

  /**
   * The uncompressed bytes. Refuses more than `maxBytes`, a wrong CRC and wrong sizes with MemberDamage; what was
   * yielded before that is not to be trusted.
   */
  async *data(member: ZipMember, maxBytes: number): AsyncGenerator<Buffer, void> {
    let crc = 0;
    let size = 0;
    const start = this.#reader.offset;
    for await (const chunk of this.#raw(member)) {
      size += chunk.length;
      if (size > maxBytes) {
        const excess = `it holds more than the ${maxBytes} bytes it should`;
        throw new MemberDamage(excess, excess);
      }
      crc = crc32(chunk, crc);
      yield chunk;
    }
    const actual = { ...member, actualCrc: crc, actualSize: size, actualCompressed: this.#reader.offset - start };
    await this.#check(actual);
    this.members.push(actual);
  }

  async #localHeader(localOffset: number): Promise<ZipMember> {
    const header = await this.#reader.exactly(localHeaderBytes, 'a local header');
    const flags = header.readUInt16LE(6);
    const how = header.readUInt16LE(8);
    if (flags & flag.encrypted) throw malformed('an encrypted member');
    if (how !== method.stored && how !== method.deflated) throw malformed(`compression method ${how}`);
    const nameBytes = header.readUInt16LE(26);
    if (nameBytes === 0 || nameBytes > maxNameBytes) throw malformed(`a member name of ${nameBytes} bytes`);
    const name = (await this.#reader.exactly(nameBytes, 'a name')).toString('latin1');
    if (/[\0\\]/.test(name) || name.startsWith('/') || name.split('/').includes('..')) {
      throw malformed('a member name that is not safe', JSON.stringify(name));
    }
    const extra = await this.#reader.exactly(header.readUInt16LE(28), 'an extra field');
    const hasDescriptor = (flags & flag.descriptor) !== 0;
    const sizes = readSizes(header, extra);
    const known = (value: number): number | undefined => (hasDescriptor && value === 0 ? undefined : value);
    return {
      name,
      method: how,
      sizeBytes: known(sizes.size),
      compressedBytes: known(sizes.compressed),
      crc: hasDescriptor ? undefined : header.readUInt32LE(14),
      mtimeSeconds: readMtime(header, extra),
      localOffset,
      hasDescriptor,
      isZip64: sizes.isZip64,
    };
  }

  async *#raw(member: ZipMember): AsyncGenerator<Buffer, void> {
    if (member.method === method.deflated) {
      yield* inflateFrom(this.#reader, member.compressedBytes ?? Number.POSITIVE_INFINITY);
      return;
    }
    const size = member.compressedBytes ?? member.sizeBytes;
    if (size === undefined) {
      yield* storedUntilDescriptor(this.#reader);
      return;
    }
    for (let left = size; left > 0;) {
      const chunk = await this.#reader.some(left);
      if (!chunk) throw new MemberDamage('the archive ends inside it', 'Truncated ZIP file data');
      left -= chunk.length;
      yield chunk;
    }
  }

  async #check(actual: ReadMember): Promise<void> {
    let { crc } = actual;
    if (actual.hasDescriptor) crc = await this.#descriptor(actual);
    if (crc !== actual.actualCrc) {
      throw new MemberDamage(
        `wrong CRC: ${hex(actual.actualCrc)} should be ${hex(crc ?? 0)}`,
        `ZIP bad CRC: 0x${actual.actualCrc.toString(16)} should be 0x${(crc ?? 0).toString(16)}`,
      );
    }
    const wrong = (said: number | undefined, is: number): boolean => said !== undefined && said !== is;
    const sizes = (said: number | undefined, is: number): string => `(read ${is}, expected ${said ?? 0})`;
    if (wrong(actual.compressedBytes, actual.actualCompressed)) {
      throw new MemberDamage(
        'its compressed size is not the one in its header',
        `ZIP compressed data is wrong size ${sizes(actual.compressedBytes, actual.actualCompressed)}`,
      );
    }
    if (wrong(actual.sizeBytes, actual.actualSize)) {
      throw new MemberDamage(
        'its size is not the one in its header',
        `ZIP uncompressed data is wrong size ${sizes(actual.sizeBytes, actual.actualSize)}`,
      );
    }
  }

  /** Reads the descriptor in any of its four shapes; returns its CRC. */
  async #descriptor(actual: ReadMember): Promise<number> {
    const seen = await this.#reader.peek(24);
    for (const at of [4, 0]) {
      if (at === 4 && (seen.length < 4 || seen.readUInt32LE(0) !== signature.descriptor)) continue;
      for (const wide of [actual.isZip64, !actual.isZip64]) {
        const bytes = at + (wide ? 20 : 12);
        if (seen.length < bytes) continue;
        const read = (offset: number): number =>
          wide ? Number(seen.readBigUInt64LE(offset)) : seen.readUInt32LE(offset);
        const matches = read(at + 4) === actual.actualCompressed && read(at + (wide ? 12 : 8)) === actual.actualSize;
        if (!matches) continue;
        await this.#reader.exactly(bytes, 'a data descriptor');
        return seen.readUInt32LE(at);
      }
    }
    throw new MemberDamage('its data descriptor does not fit its data', 'Truncated ZIP end-of-file record');
  }
}

function readSizes(header: Buffer, extra: Buffer): { size: number; compressed: number; isZip64: boolean } {
  let compressed = header.readUInt32LE(18);
  let size = header.readUInt32LE(22);
  const large = findExtra(extra, extraId.zip64);
  let at = 0;
  const next = (): number => {
    if (!large || large.length < at + 8) throw malformed('a zip64 field that is too short');
    const value = large.readBigUInt64LE(at);
    at += 8;
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed('a member of absurd size');
    return Number(value);
  };
  if (size === 0xffff_ffff) size = next();
  if (compressed === 0xffff_ffff) compressed = next();
  return { size, compressed, isZip64: large !== undefined };
}

/** UT (UTC) if present, else the DOS time as local time. */
function readMtime(header: Buffer, extra: Buffer): number {
  const time = findExtra(extra, extraId.extendedTime);
  if (time && time.length >= 5 && (time[0]! & 1) !== 0) return time.readUInt32LE(1);
  return fromDosTime(header.readUInt16LE(10), header.readUInt16LE(12));
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
