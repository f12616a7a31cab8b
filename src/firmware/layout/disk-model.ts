import type { Section } from '../config/section.ts';
import { endOf } from './block-range.ts';
import { dataPartitions } from './data-partition.ts';
import type { ResourceSizes } from './effect.ts';
import { regionOverlaps, writeOverlaps, type RegionOverlap, type WriteOverlap } from './overlap.ts';
import { regionsOf, type Region } from './region.ts';
import { slotsOf, type Slot } from './slot.ts';
import { switchesOf, type Switch } from './switch.ts';
import { taskModels, type TaskModel } from './task-model.ts';

/** A configuration read as a disk: what lies where, who writes it, what decides which slot boots. */
export interface DiskModel {
  readonly root: Section;
  readonly sizes: ResourceSizes;
  readonly regions: readonly Region[];
  readonly tasks: readonly TaskModel[];
  readonly switches: readonly Switch[];
  readonly slots: readonly Slot[];
  /** Partitions that belong to the device and that no upgrade may touch. */
  readonly dataPartitions: readonly Region[];
  readonly regionOverlaps: readonly RegionOverlap[];
  readonly writeOverlaps: readonly WriteOverlap[];
  /** One past the highest block that anything names. */
  readonly endBlock: number;
}

/** Pure, and total: every configuration that parses gives a model, however little sense it makes. */
export function diskModel(root: Section, sizes: ResourceSizes): DiskModel {
  const tasks = taskModels(root, sizes);
  const regions = regionsOf(root, tasks);
  const switches = switchesOf(tasks, root);
  const writes = tasks.flatMap(({ steps }) =>
    steps.flatMap(({ effects }) => effects.flatMap((effect) => ('range' in effect ? [endOf(effect.range)] : []))),
  );
  return {
    root,
    sizes,
    regions,
    tasks,
    switches,
    slots: slotsOf(tasks, switches, root),
    dataPartitions: dataPartitions(regions, tasks),
    regionOverlaps: regionOverlaps(regions),
    writeOverlaps: tasks.flatMap((model) => writeOverlaps(model, regions, root)),
    endBlock: [...regions.map(({ range }) => endOf(range)), ...writes].reduce((a, b) => Math.max(a, b), 0),
  };
}
