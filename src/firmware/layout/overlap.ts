import type { Section } from '../config/section.ts';
import { overlapOf, type BlockRange } from './block-range.ts';
import type { Effect } from './effect.ts';
import { tableRange } from './partition.ts';
import { regionAt, type Region } from './region.ts';
import type { Step } from './step.ts';
import type { TaskModel } from './task-model.ts';

/** Two regions that claim the same blocks. */
export interface RegionOverlap {
  readonly first: Region;
  readonly second: Region;
  readonly range: Required<BlockRange>;
}

/** Two actions of one task of which the later one spoils what the earlier one wrote. */
export interface WriteOverlap {
  readonly task: Section;
  readonly first: Step;
  readonly second: Step;
  readonly range: Required<BlockRange>;
}

export function regionOverlaps(regions: readonly Region[]): RegionOverlap[] {
  return regions.flatMap((first, at) =>
    regions.slice(at + 1).flatMap((second) => {
      // Of an MBR and a GPT in one configuration each task writes one.
      if (first.kind === 'table' && second.kind === 'table') return [];
      const range = overlapOf(first.range, second.range);
      return range === undefined ? [] : [{ first, second, range }];
    }),
  );
}

export function writeOverlaps({ task, steps }: TaskModel, regions: readonly Region[], root: Section): WriteOverlap[] {
  const writes = steps.flatMap((step) =>
    step.effects.flatMap((effect) => placesOf(effect, regions, root).map((range) => ({ step, effect, range }))),
  );
  const found: WriteOverlap[] = [];
  for (const [at, first] of writes.entries()) {
    for (const second of writes.slice(at + 1)) {
      const range = overlapOf(first.range, second.range);
      if (range === undefined || first.step === second.step) continue;
      if (spoils(first, second)) found.push({ task, first: first.step, second: second.step, range });
    }
  }
  return found;
}

/** The blocks that an effect touches. */
export function placesOf(effect: Effect, regions: readonly Region[], root: Section): BlockRange[] {
  switch (effect.kind) {
    case 'data':
    case 'fill':
    case 'trim':
    case 'format':
      return [effect.range];
    case 'file': {
      const region = regionAt(regions, effect.fatBlock);
      return [region?.range ?? { firstBlock: effect.fatBlock }];
    }
    case 'table': {
      const table = root.find(effect.table, effect.name);
      return table === undefined ? [] : [tableRange(table)];
    }
    case 'environment':
      return regions.filter(({ environment }) => environment?.title === effect.environment).map(({ range }) => range);
    default:
      return [];
  }
}

interface Write {
  readonly effect: Effect;
  readonly range: BlockRange;
}

/** Whether the later write undoes the earlier one. Wiping first is a way to begin; files and an image go together. */
function spoils({ effect: first, range: firstRange }: Write, { effect: second, range: secondRange }: Write): boolean {
  if (first.kind === 'fill' || first.kind === 'trim') return false;
  const pair = `${first.kind} ${second.kind}`;
  switch (first.kind) {
    case 'data':
      // A table or an environment put into an image that begins at the disk's start is how such an image is finished.
      // So is an image of the environment alone, into which variables are set.
      if (second.kind === 'environment' && firstRange.firstBlock === secondRange.firstBlock) return false;
      if (second.kind === 'table' || second.kind === 'environment') return first.range.firstBlock !== 0;
      return second.kind !== 'file';
    case 'format':
      return pair === 'format data' || pair === 'format fill';
    case 'file':
      return second.kind === 'data' || second.kind === 'fill' || second.kind === 'trim' || second.kind === 'format';
    case 'table':
      return second.kind === 'data' || second.kind === 'fill' || second.kind === 'format';
    case 'environment':
      return second.kind === 'data' || second.kind === 'fill' || second.kind === 'trim' || second.kind === 'format';
    default:
      return false;
  }
}
