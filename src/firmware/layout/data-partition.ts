import { endOf, overlapOf } from './block-range.ts';
import type { Region } from './region.ts';
import type { TaskModel } from './task-model.ts';

const dataName =
  /(?:^|[-_. ])(?:data|apps?|application|persist(?:ent)?|state|home|var|user|userdata|storage)(?:$|[-_. \d])/i;

/**
 * The partitions that belong to the device and not to a release: named so; or growing to the disk's end; or last, of
 * a size of their own (slots come in pairs), and given no content by the task that makes the disk.
 */
export function dataPartitions(regions: readonly Region[], tasks: readonly TaskModel[]): Region[] {
  const partitions = regions.filter(({ kind }) => kind === 'partition');
  const installs = tasks.filter(({ kind }) => kind === 'install');
  if (installs.length === 0) return partitions.filter(({ name }) => dataName.test(name));
  const last = partitions.at(-1);
  return partitions.filter((region) => {
    if (dataName.test(region.name)) return true;
    if (region !== last && !region.expands) return false;
    const hasPair = partitions.some(
      (other) => other !== region && other.range.blockCount === region.range.blockCount && !region.expands,
    );
    const isFilled = installs.some((model) => writesData(model, region));
    return !hasPair && !isFilled && !isOnlyTarget(tasks, region);
  });
}

function writesData({ steps }: TaskModel, region: Region): boolean {
  return steps.some(({ effects }) => effects.some((effect) => dataIn(effect, region)));
}

/** An upgrade whose whole data goes there: then it is a slot, if an odd one. */
function isOnlyTarget(tasks: readonly TaskModel[], region: Region): boolean {
  return tasks.some(({ kind, steps }) => {
    const data = steps.flatMap(({ effects }) => effects.filter(isData));
    return kind === 'upgrade' && data.length > 0 && data.every((effect) => dataIn(effect, region));
  });
}

type Effects = TaskModel['steps'][number]['effects'];

const isData = (effect: Effects[number]): boolean =>
  effect.kind === 'data' || (effect.kind === 'file' && effect.change === 'data');

function dataIn(effect: Effects[number], { range }: Region): boolean {
  if (effect.kind === 'data')
    return effect.range.firstBlock >= range.firstBlock && effect.range.firstBlock < endOf(range);
  if (effect.kind !== 'file' || effect.change !== 'data') return false;
  return overlapOf(range, { firstBlock: effect.fatBlock, blockCount: 1 }) !== undefined;
}
