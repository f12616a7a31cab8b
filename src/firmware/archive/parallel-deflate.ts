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
  const zeroBlocks = new Map<number, Promise<Buffer>>();
  const storedRing: Buffer[] = [];
  const underWay: Promise<Buffer>[] = [];
  let before: Buffer | undefined;
  for await (const { kind, bytes } of blocksOf(data)) {
    young.made(bytes.length);
    if (kind === 'zeros') {
      const packed = zeroBlocks.get(bytes.length) ?? deflateBlock(bytes, { ...blockOption, level });
      zeroBlocks.set(bytes.length, packed);
      underWay.push(packed);
    } else if (kind === 'random') {
      // Used again for the block behind all those that are under way, or being written.
      const room = storedRing.length < width + 2 ? Buffer.allocUnsafe(maxStoredBlockBytes) : storedRing.shift()!;
      storedRing.push(room);
      underWay.push(storeOrCompress(bytes, before, level, room));
    } else underWay.push(compress(bytes, before, level));
    before = bytes;
    if (underWay.length >= width) yield await underWay.shift()!;
  }
  for (const block of underWay) yield await block;
  yield finalBlock;
}

/**
 * What a block is throughout. `zeros`: deflated without a dictionary they are the same bytes wherever they stand, so
 * each length is compressed once. `random`: all byte values come about equally often, as in what is compressed or
 * encrypted already; zlib would work longest on it, for nothing.
 */
type BlockKind = 'zeros' | 'random' | 'other';

interface InputBlock {
  readonly kind: BlockKind;
  readonly bytes: Buffer;
}

const blockOption = { windowBits: 15, memLevel: 8, finishFlush: constants.Z_SYNC_FLUSH } as const;

function compress(bytes: Buffer, before: Buffer | undefined, level: number): Promise<Buffer> {
  const dictionary = before?.subarray(-dictionaryBytes);
  return deflateBlock(bytes, { ...blockOption, level, ...(dictionary ? { dictionary } : {}) });
}

async function storeOrCompress(
  bytes: Buffer,
  before: Buffer | undefined,
  level: number,
  room: Buffer,
): Promise<Buffer> {
  return (await shrinks(bytes)) ? compress(bytes, before, level) : stored(bytes, room);
}

const storedHeadBytes = 5;
const maxStoredBlockBytes = blockBytes + storedHeadBytes * Math.ceil(blockBytes / maxStoredBytes);

/** The bytes as they are, in `room`: of each 64 KiB a byte 0, u16 length, u16 its complement, the bytes. */
function stored(block: Buffer, room: Buffer): Buffer {
  let end = 0;
  for (let at = 0; at < block.length; at += maxStoredBytes) {
    const bytes = block.subarray(at, at + maxStoredBytes);
    room.writeUInt8(0, end);
    room.writeUInt16LE(bytes.length, end + 1);
    room.writeUInt16LE(~bytes.length & 0xffff, end + 3);
    bytes.copy(room, end + storedHeadBytes);
    end += storedHeadBytes + bytes.length;
  }
  return room.subarray(0, end);
}

/** Every so many bytes one is counted: enough of them that chance does not show. */
const sampleStride = 13;
const leastSampledBytes = 32 * 1024;
/** Pieces that are tried: an eighth of the block. */
const probeCount = 4;
const probedPart = 1 / 8;
/** The fast level finds what there is to find in them: repetitions. */
const probeLevel = 1;
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
async function shrinks(block: Buffer): Promise<boolean> {
  const probeBytes = Math.floor((block.length * probedPart) / probeCount);
  const step = Math.floor((block.length - probeBytes) / (probeCount - 1));
  const probes = Array.from({ length: probeCount }, (_, index) =>
    block.subarray(index * step, index * step + probeBytes),
  );
  const probe = Buffer.concat(probes);
  return (await deflateBlock(probe, { level: probeLevel })).length < probe.length * 0.99;
}

/**
 * The same bytes in blocks of at most one size, each of them of one kind throughout; none is empty. Their memory is
 * used again: it lasts as long as a block is under way, is the dictionary of the next one, or is written.
 */
async function* blocksOf(data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<InputBlock, void> {
  const ring = Array.from({ length: width + 3 }, () => Buffer.allocUnsafe(blockBytes));
  let turn = 0;
  let filled = 0;
  const zeros = Buffer.alloc(pieceBytes);
  let kind: BlockKind = 'other';
  const take = (): InputBlock => {
    const bytes = ring[turn++ % ring.length]!.subarray(0, filled);
    filled = 0;
    return { kind, bytes };
  };
  for await (const piece of piecesOf(data)) {
    const isZeros = piece.equals(zeros.subarray(0, piece.length));
    const next = isZeros ? 'zeros' : looksRandom(piece) ? 'random' : 'other';
    if (filled > 0 && next !== kind) yield take();
    kind = next;
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
