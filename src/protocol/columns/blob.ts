import { Buffer } from 'node:buffer';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { ByteWriter } from '../byte-writer.ts';
import { ProtocolError } from '../protocol-error.ts';
import type { BodyReader } from './body-reader.ts';
import { bitLength } from './coding.ts';
import { maxWindowLog, minCompressBytes } from './limit.ts';

/**
 * Bytes that have no columns, of pieces whose lengths are known:
 *
 *     u8 0   the bytes as they are
 *     u8 1   varint length · a zstd frame without its four magic bytes
 *     u8 2   pieces of one length L, turned: varint length · ceil(L / 8) bytes, bit p (lowest first) for place p: the
 *            place holds differences · a zstd frame without magic of all first bytes, all second bytes, …
 *            A difference is a byte less the byte of the same place in the piece before, modulo 256.
 */
export const BlobForm = { raw: 0, zstd: 1, turned: 2 } as const;

/** On batches of some kilobytes 3% smaller than level 3, and still a million rows a second. */
const compressionLevel = 9;
const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

export function writeBlob(out: ByteWriter, bytes: Uint8Array, pieces: number, pieceBytes: number | undefined): void {
  let form: number = BlobForm.raw;
  let best = bytes;
  if (bytes.length > minCompressBytes) {
    const plain = compress(bytes);
    if (plain.length + 3 < best.length) [form, best] = [BlobForm.zstd, plain];
    if (pieceBytes !== undefined && pieces > 2) {
      const turned = compressTurned(bytes, pieces, pieceBytes);
      if (turned.length + 3 < best.length) [form, best] = [BlobForm.turned, turned];
    }
  }
  out.byte(form);
  if (form !== BlobForm.raw) out.varint(best.length);
  out.bytes(best);
}

/** Exactly `length` bytes; a compressed frame that would give more is refused before they are made. */
export function readBlob(
  reader: BodyReader,
  length: number,
  pieces: number,
  pieceBytes: number | undefined,
): Uint8Array {
  const form = reader.byte();
  if (form === BlobForm.raw) return reader.bytes(length);
  if (form > BlobForm.turned) throw new ProtocolError('value', `bytes of form ${form}`);
  const packed = reader.bytes(reader.varint(reader.remaining));
  if (form === BlobForm.zstd) return decompress(packed, length);
  if (pieceBytes === undefined) throw new ProtocolError('value', 'turned pieces of different lengths');
  const flagBytes = Math.ceil(pieceBytes / 8);
  if (flagBytes > packed.length) throw new ProtocolError('frame-short', 'turned pieces without their flags');
  return turnBack(decompress(packed.subarray(flagBytes), length), pieces, packed.subarray(0, flagBytes));
}

function compress(bytes: Uint8Array): Uint8Array {
  // The reader allocates the window that the frame names.
  const windowLog = Math.min(maxWindowLog, Math.max(10, bitLength(bytes.length - 1)));
  const params = { [constants.ZSTD_c_compressionLevel]: compressionLevel, [constants.ZSTD_c_windowLog]: windowLog };
  return zstdCompressSync(bytes, { params }).subarray(magic.length);
}

function decompress(packed: Uint8Array, length: number): Uint8Array {
  if (length === 0) throw new ProtocolError('value', 'nothing, compressed');
  let bytes: Uint8Array;
  try {
    bytes = zstdDecompressSync(Buffer.concat([magic, packed]), {
      maxOutputLength: length,
      params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
    });
  } catch (cause) {
    throw new ProtocolError('value', 'compressed bytes are broken or too many', { cause });
  }
  if (bytes.length !== length) {
    throw new ProtocolError('value', `${bytes.length} bytes were compressed`, { expected: `${length}` });
  }
  return bytes;
}

/** Flags and frame of form 2. A place holds differences where those are less varied. */
function compressTurned(bytes: Uint8Array, pieces: number, pieceBytes: number): Uint8Array {
  const flags = new Uint8Array(Math.ceil(pieceBytes / 8));
  const turned = new Uint8Array(bytes.length);
  const place = new Uint8Array(pieces);
  const differences = new Uint8Array(pieces);
  for (let p = 0; p < pieceBytes; p += 1) {
    for (let i = 0; i < pieces; i += 1) place[i] = bytes[i * pieceBytes + p]!;
    for (let i = 0; i < pieces; i += 1) differences[i] = place[i]! - (i === 0 ? 0 : place[i - 1]!);
    const isDifference = entropyBits(differences) < entropyBits(place);
    if (isDifference) flags[p >> 3] = flags[p >> 3]! | (1 << (p & 7));
    turned.set(isDifference ? differences : place, p * pieces);
  }
  return Buffer.concat([flags, compress(turned)]);
}

function turnBack(turned: Uint8Array, pieces: number, flags: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(turned.length);
  const pieceBytes = turned.length / pieces;
  for (let p = 0; p < pieceBytes; p += 1) {
    const isDifference = ((flags[p >> 3]! >> (p & 7)) & 1) === 1;
    let last = 0;
    for (let i = 0; i < pieces; i += 1) {
      last = (turned[p * pieces + i]! + (isDifference ? last : 0)) & 0xff;
      bytes[i * pieceBytes + p] = last;
    }
  }
  return bytes;
}

/** Of the bytes by themselves, without regard to their order. */
function entropyBits(bytes: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte] = counts[byte]! + 1;
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / bytes.length);
  return bits;
}
