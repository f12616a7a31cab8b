import type { DiskLayout } from '../../firmware/index.ts';

/**
 * Where blocks stand in a drawing. A disk of 8 GiB with an environment of 8 KiB can't be drawn to scale: what is
 * claimed grows with the root of its size and has a least width, what is free has that least width only. Order and
 * borders are true, lengths are not.
 */
export interface DiskScale {
  readonly pieces: readonly ScalePiece[];
  readonly width: number;
  /** The position of a block's start. */
  readonly at: (block: number) => number;
}

export interface ScalePiece {
  readonly firstBlock: number;
  readonly endBlock: number;
  /** Ids of the regions that cover it: none is free, more than one an overlap. */
  readonly regions: readonly number[];
  readonly start: number;
  readonly width: number;
}

export interface ScaleOption {
  /** In the drawing's unit: columns, pixels. */
  readonly width: number;
  readonly minClaimed: number;
  readonly minFree: number;
}

export function scaleDisk({ regions, endBlock }: DiskLayout, { width, minClaimed, minFree }: ScaleOption): DiskScale {
  const endOf = (region: (typeof regions)[number]): number => region.firstBlock + (region.blockCount ?? 1);
  const borders = new Set([0, endBlock, ...regions.flatMap((region) => [region.firstBlock, endOf(region)])]);
  const sorted = [...borders].sort((a, b) => a - b);
  const bare = sorted.slice(1).map((end, index) => {
    const firstBlock = sorted[index]!;
    const covering = regions.filter((region) => region.firstBlock <= firstBlock && endOf(region) >= end);
    // The end of a growing region is not where it says: draw it large enough to be read.
    const grows = covering.some(({ expands, blockCount }) => expands === true || blockCount === undefined);
    return { firstBlock, endBlock: end, regions: covering.map(({ id }) => id), grows };
  });
  const least = bare.map(({ regions: { length } }) => (length === 0 ? minFree : minClaimed));
  const leastSum = least.reduce((a, b) => a + b, 0);
  const largest = Math.max(
    1,
    ...bare.map((piece) => (piece.regions.length > 0 ? piece.endBlock - piece.firstBlock : 0)),
  );
  const weights = bare.map((piece) => {
    if (piece.regions.length === 0) return 0;
    const blocks = piece.endBlock - piece.firstBlock;
    return Math.sqrt(piece.grows ? Math.max(blocks, largest / 4) : blocks);
  });
  const weightSum = Math.max(
    1,
    weights.reduce((a, b) => a + b, 0),
  );
  const room = Math.max(0, width - leastSum);
  const squeeze = leastSum > width ? width / leastSum : 1;
  let start = 0;
  let exact = 0;
  const pieces = bare.map(({ firstBlock, endBlock: end, regions: covering }, index) => {
    exact += least[index]! * squeeze + (weights[index]! / weightSum) * room;
    const piece = { firstBlock, endBlock: end, regions: covering, start, width: Math.round(exact) - start };
    start = Math.round(exact);
    return piece;
  });
  return { pieces, width: start, at: (block) => positionOf(block, pieces, start) };
}

function positionOf(block: number, pieces: readonly ScalePiece[], end: number): number {
  const piece = pieces.find(({ firstBlock, endBlock }) => block >= firstBlock && block < endBlock);
  if (piece === undefined) return block <= 0 ? 0 : end;
  const share = (block - piece.firstBlock) / (piece.endBlock - piece.firstBlock);
  return piece.start + share * piece.width;
}
