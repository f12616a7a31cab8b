import { fromByteString, positionOf } from '../config/source-text.ts';
import type { Position } from '../../error.ts';
import { overlapOf, type BlockRange } from './block-range.ts';
import type { DiskModel } from './disk-model.ts';
import type { Effect } from './effect.ts';
import { placesOf } from './overlap.ts';
import { regionAt, type Region, type RegionKind } from './region.ts';
import { locationsOf, meet, runningSlot } from './slot.ts';
import { formatCall, type Step, type TaskEvent } from './step.ts';
import type { TaskKind, TaskModel } from './task-model.ts';

/** The disk as `firmware inspect --json` says it. Blocks are of 512 bytes; an absent blockCount is not known. */
export interface DiskLayout {
  blockBytes: 512;
  /** One past the highest block that anything names. */
  endBlock: number;
  /** In the order of the disk. Other members name them by `id`. */
  regions: LayoutRegion[];
  /** What decides which slot boots. */
  switches: { kind: 'variable' | 'file' | 'partition'; what: string; tellsSlots: boolean }[];
  slots: { name: string; value: string; regions: number[]; tasks: string[] }[];
  tasks: LayoutTask[];
  overlaps: LayoutOverlap[];
}

export interface LayoutRegion extends BlockRange {
  id: number;
  kind: RegionKind;
  name: string;
  /** Of a partition: 0x83, or a GPT's UUID. */
  type?: string;
  tables?: { name: string; index: number }[];
  expands?: true;
  fileSystem?: 'fat';
  /** Slots whose upgrades write it; absent when none or all of them do. */
  slots?: string[];
  /** Belongs to the device: no upgrade may write it. */
  holdsData?: true;
}

export interface LayoutTask {
  name: string;
  kind: TaskKind;
  /** As they stand: `require-uboot-variable(env, active_slot, b)`. */
  requirements: string[];
  /** The slot that a device runs from which takes this task. */
  runsFrom?: string;
  /** The slot that it makes ready. */
  writesSlot?: string;
  writes: LayoutWrite[];
}

export interface LayoutWrite {
  event: TaskEvent;
  action: string;
  /** `outside`: not on the disk, but a command, a file or a device of the machine. */
  effect: 'data' | 'fill' | 'trim' | 'format' | 'file' | 'table' | 'environment' | 'outside';
  resource?: string;
  /** Where, if it is said: several for the two copies of an environment. */
  places: (BlockRange & { region?: number })[];
  /** On a FAT. */
  path?: string;
  position: Position;
}

export interface LayoutOverlap {
  kind: 'regions' | 'writes';
  firstBlock: number;
  blockCount: number;
  first: string;
  second: string;
  task?: string;
}

export function diskLayout(model: DiskModel): DiskLayout {
  const ids = new Map(model.regions.map((region, at) => [region, at + 1]));
  const slotRegions = regionsOfSlots(model);
  return {
    blockBytes: 512,
    endBlock: model.endBlock,
    regions: model.regions.map((region, at) => layoutRegion(region, at + 1, model, slotRegions.get(region) ?? [])),
    switches: model.switches.map(({ kind, label, tellsSlots }) => ({ kind, what: label, tellsSlots })),
    slots: model.slots.map(({ name, value, tasks }) => ({
      name,
      value,
      regions: model.regions.filter((region) => slotRegions.get(region)?.includes(name)).map((region) => ids.get(region)!), // prettier-ignore
      tasks: tasks.map(({ task }) => fromByteString(task.title)),
    })),
    tasks: model.tasks.map((task) => layoutTask(task, model, ids)),
    overlaps: overlapsOf(model),
  };
}

/** Which slots' upgrades write a region; what all of them write belongs to none. */
function regionsOfSlots(model: DiskModel): Map<Region, string[]> {
  const found = new Map<Region, string[]>();
  for (const region of model.regions) {
    const names = model.slots
      .filter(({ tasks }) =>
        tasks.some((task) =>
          locationsOf(task, model.switches, model.regions).some((location) =>
            meet(location, { kind: 'blocks', range: region.range }),
          ),
        ),
      )
      .map(({ name }) => name);
    if (names.length > 0 && names.length < Math.max(2, model.slots.length)) found.set(region, names);
  }
  return found;
}

function layoutRegion(region: Region, id: number, model: DiskModel, slots: string[]): LayoutRegion {
  const { kind, name, range, type, tables, expands, isFat } = region;
  return {
    id,
    kind,
    name,
    ...range,
    ...(type === undefined ? {} : { type }),
    ...(tables.length === 0 ? {} : { tables: [...tables] }),
    ...(expands ? { expands } : {}),
    ...(isFat ? { fileSystem: 'fat' as const } : {}),
    ...(slots.length === 0 ? {} : { slots }),
    ...(model.dataPartitions.includes(region) ? { holdsData: true as const } : {}),
  };
}

function layoutTask(task: TaskModel, model: DiskModel, ids: ReadonlyMap<Region, number>): LayoutTask {
  const runs = runningSlot(task, model.slots, model.switches, model.root);
  const target = model.slots.find(({ tasks }) => tasks.includes(task));
  return {
    name: fromByteString(task.task.title),
    kind: task.kind,
    requirements: task.task.calls.map((call) => fromByteString(formatCall(call))),
    ...(runs === undefined ? {} : { runsFrom: runs.name }),
    ...(target === undefined ? {} : { writesSlot: target.name }),
    writes: task.steps.flatMap((step) => step.effects.flatMap((effect) => layoutWrite(step, effect, model, ids))),
  };
}

function layoutWrite(
  { event, resource, call }: Step,
  effect: Effect,
  model: DiskModel,
  ids: ReadonlyMap<Region, number>,
): LayoutWrite[] {
  if (effect.kind === 'stop') return [];
  const places = placesOf(effect, model.regions, model.root).map((range) => {
    const region = regionAt(model.regions, range.firstBlock);
    return { ...range, ...(region === undefined ? {} : { region: ids.get(region)! }) };
  });
  return [
    {
      event,
      action: fromByteString(formatCall(call)),
      effect: effect.kind,
      ...(resource === undefined ? {} : { resource: fromByteString(resource.title) }),
      places,
      ...(effect.kind === 'file' ? { path: fromByteString(effect.path) } : {}),
      position: positionOf(call.place),
    },
  ];
}

function overlapsOf(model: DiskModel): LayoutOverlap[] {
  const regions = model.regionOverlaps.map(({ first, second, range }) => ({
    kind: 'regions' as const,
    ...range,
    first: first.name,
    second: second.name,
  }));
  const writes = model.writeOverlaps.map(({ first, second, range, task }) => ({
    kind: 'writes' as const,
    ...range,
    first: fromByteString(formatCall(first.call)),
    second: fromByteString(formatCall(second.call)),
    task: fromByteString(task.title),
  }));
  return [...regions, ...writes, ...crossings(model)];
}

/** A write that begins in one region and runs into the next. */
function crossings(model: DiskModel): LayoutOverlap[] {
  return model.tasks.flatMap(({ task, steps }) =>
    steps.flatMap(({ call, effects }) =>
      effects.flatMap((effect) => {
        if (!('range' in effect)) return [];
        const home = regionAt(model.regions, effect.range.firstBlock);
        return model.regions.flatMap((region) => {
          const range = region === home ? undefined : overlapOf(region.range, effect.range);
          const isInside = home !== undefined && overlapOf(region.range, home.range) !== undefined;
          if (range === undefined || isInside || region.kind === 'raw') return [];
          const first = fromByteString(formatCall(call));
          return [{ kind: 'writes' as const, ...range, first, second: region.name, task: fromByteString(task.title) }];
        });
      }),
    ),
  );
}
