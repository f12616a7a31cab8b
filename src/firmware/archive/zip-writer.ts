import { FlotillaError } from '../../error.ts';
import { crc32 } from 'node:zlib';
import { deflateParallel } from './parallel-deflate.ts';
import { centralHeaderBytes, dosEpoch, dosTime, extraId, flag, localHeaderBytes, method, signature, zip64Threshold } from './zip-format.ts'; // prettier-ignore

export interface MemberInput {
  /** Byte string: one character a byte. */
  readonly name: string;
  /** The real size; it stands in the local header, else a delta could not be told from a full resource. */
  readonly sizeBytes: number;
  /** Of data that was read before: another one now is refused. */
  readonly crc?: number;
  readonly stored?: boolean;
  /** meta.conf carries the bundle's date; everything else 1980-01-01. */
  readonly mtimeSeconds?: number;
  readonly data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

interface WrittenMember extends Omit<MemberInput, 'crc'> {
  readonly localOffset: number;
  readonly crc: number;
  readonly compressedBytes: number;
  readonly extra: Buffer;
}

/** Writes members one after the other as libarchive's ZIP writer does; `sink` gets the bytes in order. */
export class ZipWriter {
  readonly #sink: (bytes: Uint8Array) => Promise<void>;
  readonly #level: number;
  readonly #members: WrittenMember[] = [];
  #offset = 0;

  constructor(sink: (bytes: Uint8Array) => Promise<void>, compressionLevel = 9) {
    this.#sink = sink;
    this.#level = compressionLevel;
  }

  async add(member: MemberInput): Promise<void> {
    const localOffset = this.#offset;
    const extra = extraFields(member);
    await this.#write(localHeader(member, extra));
    const { crc, compressedBytes } = await this.#data(member);
    await this.#write(descriptor(member, crc, compressedBytes));
    this.#members.push({ ...member, localOffset, crc, compressedBytes, extra });
  }

  /** The central directory and the end records. */
  async finish(): Promise<void> {
    const start = this.#offset;
    for (const member of this.#members) await this.#write(centralHeader(member));
    await this.#write(endRecords(this.#members.length, start, this.#offset));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#offset += bytes.length;
    await this.#sink(bytes);
  }

  async #data(member: MemberInput): Promise<{ crc: number; compressedBytes: number }> {
    let crc = 0;
    let size = 0;
    const start = this.#offset;
    const counted = async function* (): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of member.data) {
        crc = crc32(chunk, crc);
        size += chunk.length;
        yield chunk;
      }
    };
    const packed = member.stored ? counted() : deflateParallel(counted(), this.#level);
    for await (const chunk of packed) await this.#write(chunk);
    if (size !== member.sizeBytes || crc !== (member.crc ?? crc)) {
      throw new FlotillaError('failed', 'firmware-input-changed', `${member.name} changed while it was packed`, {
        seen: `${size} bytes, CRC ${crc}`,
        expected: `${member.sizeBytes} bytes, CRC ${member.crc ?? crc}`,
        suggestion: 'build again when nothing writes to its files',
      });
    }
    return { crc, compressedBytes: this.#offset - start };
  }
}

const isZip64 = ({ sizeBytes }: MemberInput): boolean => sizeBytes > zip64Threshold;
const clip = (value: number): number => Math.min(value, 0xffff_ffff);

/** UT (mtime if there is one), ux (uid 0, gid 0). */
function extraFields({ mtimeSeconds }: MemberInput): Buffer {
  const time = Buffer.alloc(mtimeSeconds === undefined ? 5 : 9);
  time.writeUInt16LE(extraId.extendedTime, 0);
  time.writeUInt16LE(time.length - 4, 2);
  if (mtimeSeconds !== undefined) {
    time[4] = 1;
    time.writeUInt32LE(mtimeSeconds >>> 0, 5);
  }
  return Buffer.concat([time, Buffer.from('75780b000104000000000400000000', 'hex')]);
}

function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + values.length * 8);
  extra.writeUInt16LE(extraId.zip64, 0);
  extra.writeUInt16LE(values.length * 8, 2);
  values.forEach((value, index) => extra.writeBigUInt64LE(BigInt(value), 4 + index * 8));
  return extra;
}

/** version needed, flags, method, time, date: the 10 bytes that both headers share. */
function commonFields(member: MemberInput, zip64: boolean): Buffer {
  const out = Buffer.alloc(10);
  const { time, date } = member.mtimeSeconds === undefined ? dosEpoch : dosTime(member.mtimeSeconds);
  out.writeUInt16LE(zip64 ? 45 : member.stored ? 10 : 20, 0);
  out.writeUInt16LE(flag.descriptor, 2);
  out.writeUInt16LE(member.stored ? method.stored : method.deflated, 4);
  out.writeUInt16LE(time, 6);
  out.writeUInt16LE(date, 8);
  return out;
}

function localHeader(member: MemberInput, extra: Buffer): Buffer {
  const name = Buffer.from(member.name, 'latin1');
  const zip64 = isZip64(member);
  const allExtra = zip64 ? Buffer.concat([extra, zip64Extra([member.sizeBytes, 0])]) : extra;
  const header = Buffer.alloc(localHeaderBytes);
  header.writeUInt32LE(signature.local, 0);
  commonFields(member, zip64).copy(header, 4);
  header.writeUInt32LE(zip64 ? 0xffff_ffff : member.stored ? member.sizeBytes : 0, 18);
  header.writeUInt32LE(zip64 ? 0xffff_ffff : member.sizeBytes, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(allExtra.length, 28);
  return Buffer.concat([header, name, allExtra]);
}

function descriptor(member: MemberInput, crc: number, compressedBytes: number): Buffer {
  const zip64 = isZip64(member);
  const out = Buffer.alloc(zip64 ? 24 : 16);
  out.writeUInt32LE(signature.descriptor, 0);
  out.writeUInt32LE(crc, 4);
  if (zip64) {
    out.writeBigUInt64LE(BigInt(compressedBytes), 8);
    out.writeBigUInt64LE(BigInt(member.sizeBytes), 16);
  } else {
    out.writeUInt32LE(compressedBytes, 8);
    out.writeUInt32LE(member.sizeBytes, 12);
  }
  return out;
}

function centralHeader(member: WrittenMember): Buffer {
  const { sizeBytes, compressedBytes, localOffset } = member;
  const name = Buffer.from(member.name, 'latin1');
  const large = [sizeBytes, compressedBytes, localOffset].filter((value) => value >= 0xffff_ffff);
  const extra = large.length > 0 ? Buffer.concat([member.extra, zip64Extra(large)]) : member.extra;
  const header = Buffer.alloc(centralHeaderBytes);
  header.writeUInt32LE(signature.central, 0);
  const common = commonFields(member, large.length > 0 || isZip64(member));
  header.writeUInt16LE(0x0300 | common.readUInt16LE(0), 4);
  common.copy(header, 6);
  header.writeUInt32LE(member.crc, 16);
  header.writeUInt32LE(clip(compressedBytes), 20);
  header.writeUInt32LE(clip(sizeBytes), 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE((0o100644 << 16) >>> 0, 38);
  header.writeUInt32LE(clip(localOffset), 42);
  return Buffer.concat([header, name, extra]);
}

function endRecords(count: number, start: number, end: number): Buffer {
  const zip64 = start >= 0xffff_ffff || end - start >= 0xffff_ffff || count >= 0xffff;
  const record = Buffer.alloc(22);
  record.writeUInt32LE(signature.end, 0);
  record.writeUInt16LE(Math.min(count, 0xffff), 8);
  record.writeUInt16LE(Math.min(count, 0xffff), 10);
  record.writeUInt32LE(clip(end - start), 12);
  record.writeUInt32LE(clip(start), 16);
  if (!zip64) return record;
  const large = Buffer.alloc(56 + 20);
  large.writeUInt32LE(signature.end64, 0);
  large.writeBigUInt64LE(44n, 4);
  large.writeUInt16LE(0x0300 | 45, 12);
  large.writeUInt16LE(45, 14);
  large.writeBigUInt64LE(BigInt(count), 24);
  large.writeBigUInt64LE(BigInt(count), 32);
  large.writeBigUInt64LE(BigInt(end - start), 40);
  large.writeBigUInt64LE(BigInt(start), 48);
  large.writeUInt32LE(signature.locator64, 56);
  large.writeBigUInt64LE(BigInt(end), 64);
  large.writeUInt32LE(1, 72);
  return Buffer.concat([large, record]);
}
