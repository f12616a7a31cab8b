import { ByteReader } from '../archive/byte-reader.ts';
import { patchError } from './patch-error.ts';
import { decodeWindow, SectionCursor, type DeltaSource, type PatchWindow } from './window.ts';

/**
 * VCDIFF (RFC 3284) as xdelta3 writes it with -S: magic D6 C3 C4 00, indicator, [application header], then windows:
 * indicator, [source length, source position], delta length, target length, delta indicator, lengths of data,
 * instructions and addresses, [u32 big-endian Adler-32 of the target], the three sections.
 */
const magic = Buffer.from([0xd6, 0xc3, 0xc4, 0x00]);
const headerBit = { secondaryCompressor: 1, codeTable: 2, application: 4 } as const;
const windowBit = { source: 1, target: 2, adler32: 4 } as const;
/** xdelta3's own limit. */
const maxWindowBytes = 64 * 1024 * 1024;
/** What xdelta3 hands on at a time: progress is counted so. */
const pieceBytes = 128 * 1024;
const maxApplicationBytes = 1024 * 1024;

/**
 * The bytes that the patch makes of `source`, window by window. Without a source the shape alone is checked. The memory
 * of a window is used again for the next one.
 */
export async function* decodeDelta(
  patch: AsyncIterable<Uint8Array>,
  source: DeltaSource | undefined,
): AsyncGenerator<Buffer, void> {
  const reader = new ByteReader(patch);
  await readHeader(reader);
  let memory = Buffer.alloc(0);
  while ((await reader.peek(1)).length > 0) {
    const window = await readWindow(reader);
    if (memory.length < window.targetLength) memory = Buffer.alloc(window.targetLength);
    const bytes = memory.subarray(0, window.targetLength);
    await decodeWindow(window, source, bytes);
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
}

/** Refuses what is no patch, and patches that devices refuse. */
export async function checkDeltaHeader(patch: AsyncIterable<Uint8Array>): Promise<void> {
  await readHeader(new ByteReader(patch));
}

async function readHeader(reader: ByteReader): Promise<void> {
  const start = await take(reader, magic.length + 1);
  if (!start.subarray(0, magic.length).equals(magic)) throw patchError('not a VCDIFF input');
  const indicator = start[magic.length]!;
  if (indicator & headerBit.secondaryCompressor) throw patchError('unavailable secondary compressor');
  if (indicator & headerBit.codeTable) throw patchError('code table not implemented');
  if (indicator & ~7) throw patchError('unrecognized header indicator bits set');
  if (indicator & headerBit.application) {
    const length = await integer(reader);
    if (length > maxApplicationBytes) throw patchError('an application header of absurd size');
    await take(reader, length);
  }
}

async function readWindow(reader: ByteReader): Promise<PatchWindow> {
  const indicator = (await take(reader, 1))[0]!;
  if (indicator & windowBit.target) throw patchError('VCD_TARGET not implemented');
  if (indicator & ~7) throw patchError('unrecognized window indicator bits set');
  const hasSource = (indicator & windowBit.source) !== 0;
  const sourceLength = hasSource ? await integer(reader) : 0;
  const sourceStart = hasSource ? await integer(reader) : 0;
  const deltaLength = await integer(reader);
  if (deltaLength > 2 * maxWindowBytes) throw patchError('a window of absurd size');
  const bodyStart = reader.offset;
  const targetLength = await integer(reader);
  if (targetLength > maxWindowBytes) throw patchError('hard window size exceeded');
  if ((await take(reader, 1))[0] !== 0) throw patchError('unrecognized delta indicator bits set');
  const lengths = [await integer(reader), await integer(reader), await integer(reader)] as const;
  const checksum = indicator & windowBit.adler32 ? (await take(reader, 4)).readUInt32BE(0) : undefined;
  const sectionBytes = lengths[0] + lengths[1] + lengths[2];
  if (reader.offset - bodyStart + sectionBytes !== deltaLength)
    throw patchError('incorrect encoding length (redundant)');
  const [data, instructions, addresses] = [
    await take(reader, lengths[0]),
    await take(reader, lengths[1]),
    await take(reader, lengths[2]),
  ];
  return { sourceStart, sourceLength, targetLength, checksum, data, instructions, addresses };
}

/** A copy: the reader's buffer is reused while the window is held. */
async function take(reader: ByteReader, count: number): Promise<Buffer> {
  if ((await reader.peek(count)).length < count) throw patchError('unexpected end of the patch');
  return Buffer.from(await reader.exactly(count, 'a patch'));
}

async function integer(reader: ByteReader): Promise<number> {
  const digits: number[] = [];
  do digits.push((await take(reader, 1))[0]!);
  while ((digits.at(-1)! & 0x80) !== 0 && digits.length < 10);
  return new SectionCursor(Buffer.from(digits), 'an integer').integer();
}
