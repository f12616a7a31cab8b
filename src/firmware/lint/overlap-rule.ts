import { fromByteString } from '../config/source-text.ts';
import { endOf, formatRange, overlapOf, segmentBlocks, type BlockRange } from '../layout/block-range.ts';
import type { DiskModel } from '../layout/disk-model.ts';
import type { Effect } from '../layout/effect.ts';
import { placesOf } from '../layout/overlap.ts';
import { regionAt, type Region } from '../layout/region.ts';
import { formatCall, type Step } from '../layout/step.ts';
import type { TaskModel } from '../layout/task-model.ts';
import type { LintContext, Rule, Violation } from './rule.ts';

/** Rules on what lies where: nothing may be written over something else, or over an end. */
export const overlapRules: readonly Rule[] = [
  {
    code: 'regions-overlap',
    severity: 'error',
    why: 'two things claim the same blocks: whichever is written last destroys the other',
    mend: 'move one of them, or make it shorter',
    *check({ model }) {
      for (const { first, second, range } of model.regionOverlaps) {
        yield {
          place: later(first, second),
          seen: `${first.name} (${formatRange(first.range)}) and ${second.name} (${formatRange(second.range)}) share ${formatRange(range)}`,
        };
      }
    },
  },
  {
    code: 'writes-overlap',
    severity: 'error',
    why: 'the later action destroys what the earlier one of the same task wrote',
    mend: 'write to different blocks; to wipe, do it in on-init, before the data',
    *check({ model }) {
      for (const { task, first, second, range } of model.writeOverlaps) {
        yield {
          place: second.call.place,
          task: model.tasks.find((candidate) => candidate.task === task)!,
          seen: `${shown(second)} writes over ${formatRange(range)}, which ${shown(first)} has written`,
        };
      }
    },
  },
  {
    code: 'resource-too-large',
    severity: 'error',
    why: 'the resource runs out of its partition into what lies behind it',
    mend: 'make the partition larger or the resource smaller; assert-size-lte lets the build fail instead',
    *check({ model }) {
      for (const { task, step, effect, home } of overruns(model)) {
        if (effect.kind !== 'data' || effect.range.firstBlock !== home.range.firstBlock) continue;
        const name = fromByteString(step.resource?.title ?? '');
        yield {
          place: step.call.place,
          task,
          seen: `${name} takes ${effect.range.blockCount} blocks, ${home.name} has ${home.range.blockCount}`,
        };
      }
    },
  },
  {
    code: 'past-partition',
    severity: 'error',
    why: 'the action runs out of the place in which it begins into what lies behind it',
    mend: 'end it where the place ends: take offset and count from the same defines as the partition',
    *check({ model }) {
      for (const { task, step, effect, home } of overruns(model)) {
        if (effect.kind === 'data' && effect.range.firstBlock === home.range.firstBlock) continue;
        yield {
          place: step.call.place,
          task,
          seen: `${shown(step)} reaches block ${endOf(effect.range) - 1}, ${home.name} ends with block ${endOf(home.range) - 1}`,
        };
      }
    },
  },
  {
    code: 'past-disk-end',
    severity: 'error',
    why: 'the smallest disk has no such block: the update fails there, or its last bytes are lost',
    mend: 'make the layout smaller, or give the true size with --disk-size',
    *check({ model, diskBlocks }) {
      if (diskBlocks === undefined) return;
      for (const region of model.regions) {
        if (endOf(region.range) > diskBlocks) {
          yield { place: region.place, seen: `${region.name} ends with block ${endOf(region.range) - 1}, the disk has ${diskBlocks} blocks` }; // prettier-ignore
        }
      }
      for (const { task, step, effect } of rangedEffects(model)) {
        if (endOf(effect.range) > diskBlocks) {
          yield { place: step.call.place, task, seen: `${shown(step)} reaches block ${endOf(effect.range) - 1}, the disk has ${diskBlocks} blocks` }; // prettier-ignore
        }
      }
    },
  },
  {
    code: 'resource-may-outgrow',
    severity: 'warning',
    why: 'the build accepts a resource that does not fit, and the device writes it into what lies behind',
    mend: "set assert-size-lte to the partition's block count",
    *check({ model }) {
      for (const { task, step, effect } of rangedEffects(model)) {
        const limit = model.sizes.get(step.resource?.title ?? '')?.atMostBytes;
        const home = regionAt(model.regions, effect.range.firstBlock);
        if (effect.kind !== 'data' || limit === undefined || home?.kind !== 'partition' || home.expands) continue;
        const room = endOf(home.range) - effect.range.firstBlock;
        if (home.range.blockCount === undefined || limit / 512 <= room) continue;
        yield {
          place: step.call.place,
          task,
          seen: `assert-size-lte allows ${limit / 512} blocks, ${home.name} has room for ${room}`,
        };
      }
    },
  },
  {
    code: 'no-size-assertion',
    severity: 'advice',
    why: 'a resource that outgrows its partition is not noticed when it is built',
    mend: "give the file-resource assert-size-lte = the partition's block count",
    *check({ source, model }) {
      if (source.bundle !== undefined) return; // meta.conf does not carry assertions
      const told = new Set<string>();
      for (const { step, effect } of rangedEffects(model)) {
        const { resource } = step;
        if (effect.kind !== 'data' || resource === undefined || told.has(resource.title)) continue;
        const home = regionAt(model.regions, effect.range.firstBlock);
        if (home?.kind !== 'partition' || home.expands || resource.has('assert-size-lte')) continue;
        told.add(resource.title);
        yield {
          place: resource.place,
          seen: `${fromByteString(resource.title)} goes into ${home.name}, and nothing limits its size`,
        };
      }
    },
  },
  {
    code: 'shares-segment',
    severity: 'advice',
    why: 'the disk is written in pieces of 128 KiB: when the power fails in that one, both may be damaged',
    mend: 'let what upgrades write begin and end at multiples of 256 blocks',
    check: sharedSegments,
  },
];

interface RangedEffect {
  task: TaskModel;
  step: Step;
  effect: Effect & { range: BlockRange };
}

function* rangedEffects({ tasks }: DiskModel): Generator<RangedEffect> {
  for (const task of tasks) {
    for (const step of task.steps) {
      for (const effect of step.effects) if ('range' in effect) yield { task, step, effect };
    }
  }
}

/** Effects that end behind the place in which they begin. */
function* overruns(model: DiskModel): Generator<RangedEffect & { home: Region }> {
  for (const found of rangedEffects(model)) {
    const home = regionAt(model.regions, found.effect.range.firstBlock);
    if (home === undefined || home.kind === 'raw' || home.kind === 'table' || home.expands) continue;
    if (home.range.blockCount === undefined || endOf(found.effect.range) <= endOf(home.range)) continue;
    yield { ...found, home };
  }
}

/** Neighbours in one segment, of which an upgrade writes one. */
function* sharedSegments({ model }: LintContext): Generator<Violation> {
  const found = new Map<Region, { task: TaskModel; others: Set<string> }>();
  for (const task of model.tasks.filter(({ kind }) => kind === 'upgrade')) {
    const ranges = task.steps.flatMap(({ effects }) => effects.flatMap((effect) => writtenRanges(effect, model)));
    for (const range of ranges) {
      const home = regionAt(model.regions, range.firstBlock);
      if (home === undefined) continue;
      const entry = found.get(home) ?? { task, others: new Set<string>() };
      found.set(home, entry);
      for (const other of model.regions) {
        if (overlapOf(other.range, home.range) || !meetInSegment(range, other.range)) continue;
        const isOtherCopy = home.environment !== undefined && other.environment === home.environment; // has its own rule
        if (!isOtherCopy) entry.others.add(`${other.name} (${formatRange(other.range)})`);
      }
    }
  }
  for (const [home, { task, others }] of found) {
    if (others.size === 0) continue;
    yield { place: home.place, task, seen: `${home.name} (${formatRange(home.range)}) shares a piece with ${[...others].join(' and ')}` }; // prettier-ignore
  }
}

function writtenRanges(effect: Effect, model: DiskModel): BlockRange[] {
  if (effect.kind !== 'data' && effect.kind !== 'format' && effect.kind !== 'environment') return [];
  return placesOf(effect, model.regions, model.root);
}

function meetInSegment(a: BlockRange, b: BlockRange): boolean {
  const segment = (block: number): number => Math.floor(block / segmentBlocks);
  const [low, high] = a.firstBlock <= b.firstBlock ? [a, b] : [b, a];
  return segment(endOf(low) - 1) >= segment(high.firstBlock);
}

function later(first: Region, second: Region): Region['place'] {
  return second.place.offset >= first.place.offset ? second.place : first.place;
}

function shown({ call }: Step): string {
  return fromByteString(formatCall(call));
}
