import { crc32 } from 'node:zlib';
import type { ByteReader } from './byte-reader.ts';
import { MemberDamage } from './malformed.ts';
import { signature } from './zip-format.ts';

const mark = Buffer.alloc(4);
mark.writeUInt32LE(signature.descriptor);
const descriptorBytes = 16;
const stepBytes = 64 * 1024;

/**
 * A stored member that tells its size nowhere in front: it ends at the first descriptor signature that is followed
 * by the CRC and the size of all bytes before it. Leaves the reader at that descriptor.
 */
export async function* storedUntilDescriptor(reader: ByteReader): AsyncGenerator<Buffer, void> {
  let crc = 0;
  let size = 0;
  for (;;) {
    const seen = await reader.peek(stepBytes);
    const at = seen.indexOf(mark);
    if (seen.length < descriptorBytes) throw new MemberDamage('the archive ends inside it', 'Truncated ZIP file data');
    const plain = Buffer.from(seen.subarray(0, at < 0 ? seen.length - mark.length + 1 : at));
    crc = crc32(plain, crc);
    size += plain.length;
    await reader.exactly(plain.length, 'stored data');
    if (plain.length > 0) yield plain;
    if (at < 0) continue;
    const candidate = await reader.peek(24);
    if (candidate.length >= descriptorBytes && endsHere(candidate, crc, size)) return;
    if (candidate.length < descriptorBytes)
      throw new MemberDamage('the archive ends inside it', 'Truncated ZIP file data');
    const one = Buffer.from(await reader.exactly(1, 'stored data'));
    crc = crc32(one, crc);
    size += 1;
    yield one;
  }
}

function endsHere(candidate: Buffer, crc: number, size: number): boolean {
  if (candidate.readUInt32LE(4) !== crc) return false;
  if (candidate.readUInt32LE(8) === size && candidate.readUInt32LE(12) === size) return true;
  return (
    candidate.length >= 24 &&
    candidate.readBigUInt64LE(8) === BigInt(size) &&
    candidate.readBigUInt64LE(16) === BigInt(size)
  );
}
