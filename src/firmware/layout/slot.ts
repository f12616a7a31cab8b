import { fromByteString } from '../config/source-text.ts';
import type { Section } from '../config/section.ts';
import { overlapOf, type BlockRange } from './block-range.ts';
import { regionAt, type Region } from './region.ts';
import { lastValues, requiredFact, type Switch } from './switch.ts';
import type { TaskModel } from './task-model.ts';

/** One of the places that an upgrade writes while the device runs from another. */
export interface Slot {
  readonly name: string;
  /** The switch's value that boots it. */
  readonly value: string;
  /** The upgrades that write it. */
  readonly tasks: readonly TaskModel[];
}

/** Where a task leaves content: blocks, or a file on a FAT. */
export type Location =
  | { readonly kind: 'blocks'; readonly range: BlockRange; readonly isFormatted?: boolean }
  | { readonly kind: 'file'; readonly fatBlock: number; readonly path: string };

/** The slots by the first switch that tells them apart; none if there is no such switch. */
export function slotsOf(tasks: readonly TaskModel[], switches: readonly Switch[], root: Section): Slot[] {
  const switched = switches.find(({ tellsSlots }) => tellsSlots);
  if (switched === undefined) return [];
  const byValue = new Map<string, TaskModel[]>();
  for (const model of tasks) {
    const value = model.kind === 'upgrade' ? targetOf(model, switched, root) : undefined;
    if (value !== undefined) byValue.set(value, [...(byValue.get(value) ?? []), model]);
  }
  // A single upgrade names the slot that it leaves only in its requirement.
  for (const { task, kind } of tasks) {
    if (kind !== 'upgrade' || switched.kind === 'file') continue;
    const from = requiredValue(task, switched);
    if (from !== undefined && !byValue.has(from)) byValue.set(from, []);
  }
  return [...byValue].map(([value, models]) => ({ name: slotName(value, models), value, tasks: models }));
}

/** The value that the task gives to the switch in the end. */
export function targetOf({ steps }: TaskModel, { key }: Switch, root: Section): string | undefined {
  return lastValues(steps, root).get(key)?.value;
}

export function requiredValue(task: Section, { key }: Switch): string | undefined {
  return task.calls.flatMap((call) => requiredFact(call) ?? []).find((fact) => fact.key === key)?.value;
}

/** The slot that a device boots which this task accepts; undefined when its requirements do not say. */
export function runningSlot(
  model: TaskModel,
  slots: readonly Slot[],
  switches: readonly Switch[],
  root: Section,
): Slot | undefined {
  const telling = switches.filter(({ tellsSlots }) => tellsSlots);
  for (const [at, switched] of telling.entries()) {
    const required = requiredValue(model.task, switched);
    if (required === undefined) continue;
    if (switched.kind === 'file') {
      // The text in a file and the file that brings it have different names: of two slots it is the other one.
      const target = targetOf(model, switched, root);
      const others = slots.filter(({ tasks }) => tasks.some((task) => targetOf(task, switched, root) !== target));
      if (target !== undefined && slots.length === 2 && others.length === 1) return others[0];
      continue;
    }
    const found = slots.find(
      ({ value, tasks }) =>
        (at === 0 && value === required) || tasks.some((task) => targetOf(task, switched, root) === required),
    );
    if (found) return found;
  }
  return undefined;
}

/** What the task writes; the switch itself does not count. Data of unknown length counts as its whole region. */
export function locationsOf({ steps }: TaskModel, switches: readonly Switch[], regions: readonly Region[]): Location[] {
  const switchFiles = new Set(switches.map(({ key }) => key));
  return steps.flatMap(({ effects }) =>
    effects.flatMap((effect): Location[] => {
      if (effect.kind === 'data' || effect.kind === 'format') {
        const { range } = effect;
        const whole = range.blockCount === undefined ? regionAt(regions, range.firstBlock)?.range : undefined;
        return [{ kind: 'blocks', range: whole ?? range, isFormatted: effect.kind === 'format' }];
      }
      if (effect.kind !== 'file' || effect.change === 'directory' || effect.change === 'other') return [];
      const { fatBlock, path } = effect;
      return switchFiles.has(`file\0${fatBlock}\0${path}`) ? [] : [{ kind: 'file', fatBlock, path }];
    }),
  );
}

export function meet(a: Location, b: Location): boolean {
  if (a.kind === 'file' && b.kind === 'file') return a.fatBlock === b.fatBlock && a.path === b.path;
  if (a.kind === 'blocks' && b.kind === 'blocks') return overlapOf(a.range, b.range) !== undefined;
  const [file, blocks] = a.kind === 'file' ? [a, b as Location & { kind: 'blocks' }] : [b as Location & { kind: 'file' }, a as Location & { kind: 'blocks' }]; // prettier-ignore
  return overlapOf(blocks.range, { firstBlock: file.fatBlock, blockCount: 1 }) !== undefined;
}

/** `a` from upgrade.a, upgrade-a or upgrade_a if all its tasks agree; else the switch's value. */
function slotName(value: string, models: readonly TaskModel[]): string {
  const endings = new Set(models.map(({ task }) => /[.\-_]([A-Za-z0-9]{1,3})$/.exec(task.title)?.[1]));
  const [ending] = endings;
  return endings.size === 1 && ending !== undefined ? fromByteString(ending) : value;
}
