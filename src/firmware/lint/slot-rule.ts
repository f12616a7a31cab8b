import { parseBlockNumber } from '../config/call-spec.ts';
import type { Call } from '../config/section.ts';
import { fromByteString, type Place } from '../config/source-text.ts';
import { formatRange, overlapOf } from '../layout/block-range.ts';
import type { DiskModel } from '../layout/disk-model.ts';
import { placesOf } from '../layout/overlap.ts';
import { partitionsOf } from '../layout/partition.ts';
import { regionAt, type Region } from '../layout/region.ts';
import { locationsOf, meet, requiredValue, runningSlot, targetOf, type Location } from '../layout/slot.ts';
import { formatCall } from '../layout/step.ts';
import { lastValues, requiredFact } from '../layout/switch.ts';
import type { TaskModel } from '../layout/task-model.ts';
import type { Rule } from './rule.ts';

/** Rules on slots: an upgrade leaves alone what runs, and what belongs to the device. */
export const slotRules: readonly Rule[] = [
  {
    code: 'writes-running-slot',
    severity: 'error',
    why: 'the device overwrites the system that it runs from, and has nothing left to go back to',
    mend: 'write the other slot, or require the slot that this task does not write',
    *check({ model }) {
      for (const task of upgradesOf(model)) {
        const root = rootBlock(task);
        const written = locationsOf(task, model.switches, model.regions);
        if (root && written.some((location) => meet(location, { kind: 'blocks', range: { firstBlock: root.block } }))) {
          yield { place: root.place, task, seen: `requires that a file system in use begins at block ${root.block}, and writes there` }; // prettier-ignore
        }
      }
      const switched = model.switches.find(({ tellsSlots }) => tellsSlots);
      if (switched === undefined) return;
      for (const task of upgradesOf(model)) {
        const runs = runningSlot(task, model.slots, model.switches, model.root);
        const target = targetOf(task, switched, model.root);
        const required = requiredValue(task.task, switched);
        if (required !== undefined && required === target && switched.kind !== 'file') {
          yield { place: placeOfRequirement(task, switched.key), task, seen: `requires ${switched.label} to be ${required}, and sets it to ${required}` }; // prettier-ignore
          continue;
        }
        if (required !== undefined && target !== undefined && bringsText(target, required, model)) {
          yield { place: placeOfRequirement(task, switched.key), task, seen: `requires ${JSON.stringify(fromByteString(required))} in ${switched.label}, and brings ${target}, which has it` }; // prettier-ignore
          continue;
        }
        const shared = sharedLocations(task, runs?.value, model);
        if (runs === undefined || shared.hits.length === 0) continue;
        const twin = shared.hits.map((location) => unwrittenTwin(location, model)).find((region) => region);
        if (twin !== undefined && shared.hits.length < shared.all.length) {
          yield { place: task.task.place, task, seen: `taken by a device that runs slot ${runs.name}, and writes ${formatLocations(shared.hits, model)} of that slot, while no task writes ${twin.name}` }; // prettier-ignore
        }
        if (shared.hits.length < shared.all.length) continue;
        yield { place: task.task.place, task, seen: `taken by a device that runs slot ${runs.name}, and writes ${formatLocations(shared.hits, model)}, which is slot ${runs.name}` }; // prettier-ignore
      }
    },
  },
  {
    code: 'writes-shared-place',
    severity: 'warning',
    why: 'it is not written beside what runs but over it: when the power fails there, no slot boots',
    mend: 'give each slot its own, or leave it out of upgrades',
    *check({ model }) {
      const switched = model.switches.find(({ tellsSlots }) => tellsSlots);
      if (switched === undefined) return;
      for (const task of upgradesOf(model)) {
        const runs = runningSlot(task, model.slots, model.switches, model.root);
        const { all, hits } = sharedLocations(task, runs?.value, model);
        if (runs === undefined || hits.length === 0 || hits.length === all.length) continue;
        if (hits.some((location) => unwrittenTwin(location, model))) continue; // the rule above has said so
        yield { place: task.task.place, task, seen: `writes ${formatLocations(hits, model)}, which slot ${runs.name} uses too` }; // prettier-ignore
      }
    },
  },
  {
    code: 'writes-data-partition',
    severity: 'error',
    why: "the device's own data is destroyed by an upgrade: its key, its state, its users' files",
    mend: 'leave the partition to the task that makes the disk, and what to keep to the device',
    *check({ model }) {
      for (const task of upgradesOf(model)) {
        for (const region of model.dataPartitions) {
          const lost = lostTable(task, region, model);
          if (lost) yield { place: lost.place, task, seen: `${fromByteString(formatCall(lost))} leaves no partition at ${formatRange(region.range)}, where ${region.name} holds data` }; // prettier-ignore
          const step = task.steps.find(({ effects }) =>
            effects.some(
              (effect) =>
                effect.kind !== 'table' &&
                (effect.kind !== 'environment' || region.tables.length === 0) &&
                placesOf(effect, model.regions, model.root).some((range) => overlapOf(range, region.range)),
            ),
          );
          if (step === undefined) continue;
          yield { place: step.call.place, task, seen: `${fromByteString(formatCall(step.call))} writes ${region.name} (${formatRange(region.range)}), which holds data` }; // prettier-ignore
        }
      }
    },
  },
  {
    code: 'switch-not-set',
    severity: 'warning',
    why: 'the update is written and reported, and the device boots the old slot for ever',
    mend: 'set what chooses the slot at the end of on-finish',
    *check({ model }) {
      const switched = model.switches.find(({ tellsSlots }) => tellsSlots);
      if (switched === undefined) return;
      for (const task of upgradesOf(model)) {
        if (requiredValue(task.task, switched) === undefined || targetOf(task, switched, model.root) !== undefined) continue; // prettier-ignore
        yield { place: task.task.place, task, seen: `requires ${switched.label}, writes data, and does not change it` };
      }
    },
  },
  {
    code: 'switch-not-initialised',
    severity: 'warning',
    why: 'a device that was just made takes no upgrade: no requirement holds',
    mend: 'set it in the task that makes the disk',
    *check({ model }) {
      const installs = model.tasks.filter(({ kind }) => kind === 'install');
      for (const { key, label, kind, tellsSlots } of model.switches) {
        const required = upgradesOf(model).some(({ task }) => task.calls.some((call) => requiredFact(call)?.key === key)); // prettier-ignore
        if (!tellsSlots || !required || kind === 'partition') continue;
        for (const task of installs) {
          if (lastValues(task.steps, model.root).get(key)?.value !== undefined) continue;
          // An image of the whole file system may bring the file.
          if (kind === 'file' && task.steps.every(({ effects }) => effects.every((effect) => effect.kind !== 'file'))) continue; // prettier-ignore
          yield { place: task.task.place, task, seen: `does not set ${label}, which upgrades require` };
        }
      }
    },
  },
];

/** A partition table that an upgrade writes, and that has no partition where the data begins. */
function lostTable(task: TaskModel, region: Region, model: DiskModel): Call | undefined {
  for (const { effects, call } of task.steps) {
    for (const effect of effects) {
      if (effect.kind !== 'table') continue;
      const table = model.root.find(effect.table, effect.name);
      const isKept = table && partitionsOf(table).some(({ range }) => range.firstBlock === region.range.firstBlock);
      if (table && !isKept) return call;
    }
  }
  return undefined;
}

function upgradesOf({ tasks }: DiskModel): TaskModel[] {
  return tasks.filter(({ kind }) => kind === 'upgrade');
}

function placeOfRequirement({ task }: TaskModel, key: string): Place {
  return task.calls.find((call) => requiredFact(call)?.key === key)?.place ?? task.place;
}

/** From require-path-at-offset: where the file system of a path begins on a device that takes the task. */
function rootBlock({ task }: TaskModel): { block: number; place: Place } | undefined {
  const call = task.calls.find(({ name }) => name === 'require-path-at-offset');
  const block = parseBlockNumber(call?.args[1] ?? '');
  return call === undefined || block === undefined ? undefined : { block, place: call.place };
}

/** What the task writes (`all`), and which of it other tasks write that make the running slot bootable (`hits`). */
function sharedLocations(
  task: TaskModel,
  running: string | undefined,
  model: DiskModel,
): Record<'all' | 'hits', Location[]> {
  const all = locationsOf(task, model.switches, model.regions);
  const switched = model.switches.find(({ tellsSlots }) => tellsSlots);
  if (running === undefined || switched === undefined) return { all, hits: [] };
  const placesOfTask = (other: TaskModel) => locationsOf(other, model.switches, model.regions);
  const makers = model.tasks.filter((other) => other !== task && targetOf(other, switched, model.root) === running);
  // What the task that makes the disk gives to another slot is that slot's: a maker that writes it is wrong itself.
  const foreign = model.tasks
    .filter(({ kind }) => kind === 'install')
    .filter((install) => (targetOf(install, switched, model.root) ?? running) !== running)
    .flatMap(placesOfTask);
  const occupied = makers.flatMap((maker) =>
    placesOfTask(maker)
      .filter((location) => !foreign.some((place) => meet(location, place)))
      .map((location) => ({ location, byInstall: maker.kind === 'install' })),
  );
  const isOccupied = (written: Location): boolean =>
    occupied.some(({ location, byInstall }) => {
      // The task that makes the disk makes file systems for all slots: files in them are told apart by their names.
      const isWholeDisk = byInstall && location.kind === 'blocks' && (location.isFormatted || written.kind === 'file');
      return !isWholeDisk && meet(written, location);
    });
  return { all, hits: all.filter(isOccupied) };
}

/** A partition of the same size as the one written, which no task writes: the one that was meant. */
function unwrittenTwin(location: Location, model: DiskModel): Region | undefined {
  if (location.kind === 'file') return undefined;
  const home = regionAt(model.regions, location.range.firstBlock);
  if (home?.kind !== 'partition') return undefined;
  const written = model.tasks.flatMap((task) => locationsOf(task, [], model.regions));
  return model.regions.find(
    ({ kind, range }) =>
      kind === 'partition' &&
      range.blockCount === home.range.blockCount &&
      !written.some((place) => meet(place, { kind: 'blocks', range })),
  );
}

/** Whether the file that a switch is copied from, or the resource, holds the text. Only a configuration shows it. */
function bringsText(source: string, text: string, model: DiskModel): boolean {
  const resources = model.tasks.flatMap(({ steps }) =>
    steps.flatMap(({ resource, effects }) =>
      resource && effects.some((effect) => effect.kind === 'file' && effect.change === 'data' && effect.path === source)
        ? [resource]
        : [],
    ),
  );
  const named = model.root.all('file-resource').filter(({ title }) => fromByteString(title) === source);
  return [...resources, ...named].some((resource) => resource.text('contents')?.includes(text) ?? false);
}

function formatLocations(locations: readonly Location[], model: DiskModel): string {
  const texts = locations.map((location) => {
    if (location.kind === 'file') return fromByteString(location.path);
    const region = regionAt(model.regions, location.range.firstBlock);
    return region === undefined ? formatRange(location.range) : region.name;
  });
  return [...new Set(texts)].join(', ');
}
