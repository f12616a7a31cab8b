import semver from 'semver';
import { fromByteString } from '../config/source-text.ts';
import { contains, formatRange, type BlockRange } from '../layout/block-range.ts';
import type { DiskModel } from '../layout/disk-model.ts';
import { placesOf } from '../layout/overlap.ts';
import { partitionsOf, tablesOf } from '../layout/partition.ts';
import { regionAt } from '../layout/region.ts';
import { runningSlot } from '../layout/slot.ts';
import { formatCall } from '../layout/step.ts';
import { changedFacts, requiredFact } from '../layout/switch.ts';
import type { TaskModel } from '../layout/task-model.ts';

/** Whether a device that has the one bundle can take the other, as far as the two texts say. */
export interface UpgradeVerdict {
  /** False when a check is bad. */
  possible: boolean;
  checks: UpgradeCheck[];
}

export interface UpgradeCheck {
  verdict: 'ok' | 'warn' | 'bad';
  what: string;
}

export function judgeUpgrade(before: DiskModel, after: DiskModel): UpgradeVerdict {
  const checks = [
    ...identityChecks(before, after),
    versionCheck(before, after),
    ...environmentChecks(before, after),
    ...placeChecks(before, after),
    ...taskChecks(before, after),
  ];
  return { possible: checks.every(({ verdict }) => verdict !== 'bad'), checks };
}

const ok = (what: string): UpgradeCheck => ({ verdict: 'ok', what });
const warn = (what: string): UpgradeCheck => ({ verdict: 'warn', what });
const bad = (what: string): UpgradeCheck => ({ verdict: 'bad', what });

const textOf = ({ root }: DiskModel, option: string): string => fromByteString(root.text(option) ?? '');

function identityChecks(before: DiskModel, after: DiskModel): UpgradeCheck[] {
  return ['product', 'platform', 'architecture'].map((name) => {
    const [a, b] = [textOf(before, `meta-${name}`), textOf(after, `meta-${name}`)];
    if (a !== b) return bad(`the ${name} differs: ${a || 'not set'} and ${b || 'not set'}`);
    return a === '' && name !== 'architecture' ? warn(`neither says its ${name}`) : ok(`the same ${name}: ${a || 'not set'}`); // prettier-ignore
  });
}

function versionCheck(before: DiskModel, after: DiskModel): UpgradeCheck {
  const [a, b] = [textOf(before, 'meta-version'), textOf(after, 'meta-version')];
  const [first, second] = [semver.parse(a), semver.parse(b)];
  if (first === null || second === null) return warn(`versions that can't be compared: ${a || 'not set'} and ${b || 'not set'}`); // prettier-ignore
  const order = semver.compare(second, first);
  if (order === 0) return warn(`both have version ${a}`);
  return order > 0 ? ok(`version ${b} is newer than ${a}`) : warn(`version ${b} is older than ${a}`);
}

/** An upgrade looks for the environment where its own text says; the device has it where it was made. */
function environmentChecks(before: DiskModel, after: DiskModel): UpgradeCheck[] {
  return after.root.all('uboot-environment').map((environment) => {
    const name = fromByteString(environment.title);
    const places = (model: DiskModel): string =>
      model.regions.filter((region) => region.environment?.title === environment.title).map(({ range }) => formatRange(range)).join(' and '); // prettier-ignore
    const [a, b] = [places(before), places(after)];
    if (a === b) return ok(`the U-Boot environment ${name} is where it was: ${b}`);
    return bad(`the U-Boot environment ${name} is looked for at ${b}; devices have it at ${a || 'no known place'}`);
  });
}

/** Slots and data partitions stay where they are. */
function placeChecks(before: DiskModel, after: DiskModel): UpgradeCheck[] {
  const checks: UpgradeCheck[] = [];
  for (const slot of after.slots) {
    const [a, b] = [slotPlaces(before, slot.name), slotPlaces(after, slot.name)];
    if (a === undefined) checks.push(bad(`devices have no slot ${slot.name}`));
    else if (a === b) checks.push(ok(`slot ${slot.name} is where it was: ${b}`));
    else checks.push(bad(`slot ${slot.name} has moved from ${a || 'nowhere'} to ${b || 'nowhere'}`));
  }
  for (const region of before.dataPartitions) {
    const moved = !after.regions.some(({ range }) => range.firstBlock === region.range.firstBlock);
    if (moved)
      checks.push(bad(`nothing begins where the data partition ${region.name} does: ${formatRange(region.range)}`)); // prettier-ignore
    else checks.push(ok(`the data partition ${region.name} is where it was`));
  }
  return checks;
}

/** The regions that upgrades of a slot write, as a text that can be compared. */
function slotPlaces(model: DiskModel, name: string): string | undefined {
  const slot = model.slots.find((candidate) => candidate.name === name);
  if (slot === undefined) return undefined;
  const ranges = slot.tasks.flatMap((task) => dataPlaces(task, model));
  const homes = ranges.map((range) => regionAt(model.regions, range.firstBlock)?.range ?? range);
  return [...new Set(homes.map(formatRange))].toSorted().join(', ');
}

function dataPlaces({ steps }: TaskModel, model: DiskModel): BlockRange[] {
  return steps.flatMap(({ effects }) =>
    effects.flatMap((effect) =>
      effect.kind === 'data' || (effect.kind === 'file' && effect.change === 'data')
        ? placesOf(effect, model.regions, model.root)
        : [],
    ),
  );
}

function taskChecks(before: DiskModel, after: DiskModel): UpgradeCheck[] {
  const upgrades = after.tasks.filter(({ kind }) => kind === 'upgrade');
  if (upgrades.length === 0) return [bad('there is no task that upgrades a device')];
  const takeable = upgrades.map((task) => ({ task, reason: unmetReason(task, before) }));
  const refused = takeable.flatMap(({ task, reason }) => (reason === undefined ? [] : [`${fromByteString(task.task.title)} is never taken: ${reason}`])); // prettier-ignore
  const usable = takeable.filter(({ reason }) => reason === undefined).map(({ task }) => task);
  if (usable.length === 0) return refused.map(bad);
  const slots = before.slots.map((slot) => {
    const way = usable.find((task) => {
      const runs = runningSlot(task, after.slots, after.switches, after.root);
      return runs === undefined || runs.name === slot.name;
    });
    return way === undefined
      ? bad(`no task takes a device that runs slot ${slot.name}`)
      : ok(`a device that runs slot ${slot.name} takes ${fromByteString(way.task.title)}`);
  });
  return [...refused.map(warn), ...slots, ...usable.flatMap((task) => roomChecks(task, before, after))];
}

/** A requirement that nothing on a disk made by `before` meets; undefined when each may hold. */
function unmetReason({ task }: TaskModel, before: DiskModel): string | undefined {
  for (const call of task.calls) {
    const fact = requiredFact(call);
    if (fact?.value === undefined || fact.kind === 'file' || fact.value.includes('${')) continue;
    const made = valuesOf(before, fact.key);
    if (made.size > 0 && !made.has(fact.value)) {
      return `${fromByteString(formatCall(call))}, and devices have ${[...made].join(' or ')}`;
    }
    if (made.size === 0 && fact.kind === 'partition') return `${fromByteString(formatCall(call))}, and devices have no such partition`; // prettier-ignore
  }
  return undefined;
}

function valuesOf({ root, tasks }: DiskModel, key: string): Set<string> {
  const set = tasks.flatMap(({ steps }) => steps.flatMap(({ effects }) => effects.flatMap((effect) => changedFacts(effect, root)))); // prettier-ignore
  const places = tablesOf(root).flatMap(partitionsOf).filter(({ index }) => `partition\0${index}` === key).map(({ range }) => String(range.firstBlock)); // prettier-ignore
  return new Set([...set.flatMap((fact) => (fact.key === key ? (fact.value ?? []) : [])), ...places]);
}

/** What is written has to fit into the partition that devices have. */
function roomChecks(task: TaskModel, before: DiskModel, after: DiskModel): UpgradeCheck[] {
  return task.steps.flatMap(({ effects, resource }) =>
    effects.flatMap((effect) => {
      if (effect.kind !== 'data') return [];
      const home = regionAt(before.regions, effect.range.firstBlock);
      if (home?.kind !== 'partition' || home.expands || contains(home.range, effect.range)) return [];
      const writesTable = task.steps.some((step) => step.effects.some(({ kind }) => kind === 'table'));
      if (writesTable && regionAt(after.regions, effect.range.firstBlock) !== undefined) return [];
      return [bad(`${fromByteString(resource?.title ?? '')} does not fit into ${home.name} of devices: ${formatRange(effect.range)} in ${formatRange(home.range)}`)]; // prettier-ignore
    }),
  );
}
