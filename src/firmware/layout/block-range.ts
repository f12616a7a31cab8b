import { parseBlockNumber } from '../config/call-spec.ts';
import type { ByteString } from '../config/source-text.ts';

/** Blocks of 512 bytes on the disk. */
export interface BlockRange {
  readonly firstBlock: number;
  /** Absent: how far it goes is not said. */
  readonly blockCount?: number;
}

export const blockBytes = 512;

/** What the output layer writes in one piece: a power cut may tear everything in it. */
export const segmentBlocks = 256;

/** One past the last block; a range of unknown length counts as one block. */
export function endOf({ firstBlock, blockCount = 1 }: BlockRange): number {
  return firstBlock + blockCount;
}

/** The blocks that both have, or undefined. */
export function overlapOf(a: BlockRange, b: BlockRange): Required<BlockRange> | undefined {
  const firstBlock = Math.max(a.firstBlock, b.firstBlock);
  const blockCount = Math.min(endOf(a), endOf(b)) - firstBlock;
  return blockCount > 0 ? { firstBlock, blockCount } : undefined;
}

export function contains(outer: BlockRange, inner: BlockRange): boolean {
  return inner.firstBlock >= outer.firstBlock && endOf(inner) <= endOf(outer);
}

export function sameRange(a: BlockRange, b: BlockRange): boolean {
  return a.firstBlock === b.firstBlock && a.blockCount === b.blockCount;
}

/** `blocks 2048-4095`, `block 0`, `blocks from 2048`. */
export function formatRange({ firstBlock, blockCount }: BlockRange): string {
  if (blockCount === undefined) return `blocks from ${firstBlock}`;
  return blockCount === 1 ? `block ${firstBlock}` : `blocks ${firstBlock}-${firstBlock + blockCount - 1}`;
}

/** From texts of a configuration; undefined when there is no block number in `first`, as with run-time variables. */
export function rangeOf(first: ByteString | undefined, count: number | undefined): BlockRange | undefined {
  const firstBlock = first === undefined ? undefined : parseBlockNumber(first);
  if (firstBlock === undefined) return undefined;
  return count === undefined || count < 0 ? { firstBlock } : { firstBlock, blockCount: count };
}
