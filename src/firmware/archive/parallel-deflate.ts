import { constants, deflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import { YoungBuffers } from './young-buffer.ts';

/**
 * One valid deflate stream made of blocks that are compressed side by side in libuv's threads. A block ends at a byte
 * boundary (an empty stored block, "sync flush"), and knows the 32 KiB before it as its dictionary, so hardly anything
 * is lost. Block boundaries depend on the input alone: the same bytes give the same stream on any machine.
 */
const blockBytes = 256 * 1024;
const pieceBytes = 64 * 1024;
const dictionaryBytes = 32 * 1024;
/** Blocks under way at once: libuv has four threads. */
const width = 4;

/** What stands for the end of a stream whose last block did not say so: a final, empty block. */
const finalBlock = Buffer.from([0x03, 0x00]);

const maxStoredBytes = 65_535;

const deflateBlock = promisify<Buffer, object, Buffer>((input, option, callback) =>
  deflateRaw(input, option, callback as (error: Error | null, result: Buffer) => void),
);

/** Compresses `data`; what comes out is in order. */
export async function* deflateParallel(
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  level: number,
): AsyncGenerator<Buffer, void> {
  const young = new YoungBuffers();
  const underWay: Promise<Buffer[]>[] = [];
  let before: Buffer | undefined;
  for await (const block of blocksOf(data)) {
    young.made(block.bytes.length);
    underWay.push(compress(block, before, level));
    before = block.bytes;
    if (underWay.length >= width) yield* await underWay.shift()!;
  }
  for (const block of underWay) yield* await block;
  yield finalBlock;
}

interface InputBlock {
  readonly bytes: Buffer;
  readonly isRandom: boolean;
}

async function compress({ bytes, isRandom }: InputBlock, before: Buffer | undefined, level: number): Promise<Buffer[]> {
  if (isRandom && !(await shrinks(bytes, level))) return [...storedBlocks(bytes)];
  const dictionary = before?.subarray(-dictionaryBytes);
  const packed = await deflateBlock(bytes, {
    level,
    windowBits: 15,
    memLevel: 8,
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(dictionary ? { dictionary } : {}),
  });
  return [packed];
}

/** The bytes as they are: a byte 0, u16 length, u16 its complement, the bytes. */
function* storedBlocks(block: Buffer): Generator<Buffer> {
  for (let at = 0; at < block.length; at += maxStoredBytes) {
    const bytes = block.subarray(at, at + maxStoredBytes);
    const head = Buffer.alloc(5);
    head.writeUInt16LE(bytes.length, 1);
    head.writeUInt16LE(~bytes.length & 0xffff, 3);
    yield head;
    yield bytes;
  }
}

/** Every so many bytes one is counted: enough of them that chance does not show. */
const sampleStride = 13;
const leastSampledBytes = 32 * 1024;
/** Pieces that are tried: an eighth of the block. */
const probeCount = 4;
const probedPart = 1 / 8;
/** Bits a byte from which on Huffman codes gain nothing worth the time. */
const randomEntropy = 7.9;

/** Whether all byte values come about equally often: compressed and encrypted data. */
function looksRandom(block: Buffer): boolean {
  if (block.length < leastSampledBytes) return false;
  const counts = new Uint32Array(256);
  let total = 0;
  for (let at = 0; at < block.length; at += sampleStride, total++) counts[block[at]!]!++;
  let entropy = 0;
  for (const count of counts) if (count > 0) entropy -= (count / total) * Math.log2(count / total);
  return entropy > randomEntropy;
}

/** Whether pieces of the block get smaller: what looks random may repeat itself. */
async function shrinks(block: Buffer, level: number): Promise<boolean> {
  const probeBytes = Math.floor((block.length * probedPart) / probeCount);
  const step = Math.floor((block.length - probeBytes) / (probeCount - 1));
  const probes = Array.from({ length: probeCount }, (_, index) =>
    block.subarray(index * step, index * step + probeBytes),
  );
  const probe = Buffer.concat(probes);
  return (await deflateBlock(probe, { level })).length < probe.length * 0.99;
}

/**
 * The same bytes in blocks of at most one size, each of them random or not throughout; none is empty. Their memory is
 * used again: it lasts as long as a block is under way, is the dictionary of the next one, or is written.
 */
async function* blocksOf(data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<InputBlock, void> {
  const ring = Array.from({ length: width + 3 }, () => Buffer.allocUnsafe(blockBytes));
  let turn = 0;
  let filled = 0;
  let isRandom = false;
  const take = (): InputBlock => {
    const bytes = ring[turn++ % ring.length]!.subarray(0, filled);
    filled = 0;
    return { bytes, isRandom };
  };
  for await (const piece of piecesOf(data)) {
    const random = looksRandom(piece);
    if (filled > 0 && random !== isRandom) yield take();
    isRandom = random;
    piece.copy(ring[turn % ring.length]!, filled);
    filled += piece.length;
    if (filled === blockBytes) yield take();
  }
  if (filled > 0) yield take();
}

/** The same bytes, 64 KiB at a time; one buffer for all. */
async function* piecesOf(data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  const piece = Buffer.allocUnsafe(pieceBytes);
  let filled = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length;) {
      const count = Math.min(chunk.length - at, pieceBytes - filled);
      piece.set(chunk.subarray(at, at + count), filled);
      filled += count;
      at += count;
      if (filled < pieceBytes) continue;
      yield piece;
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
