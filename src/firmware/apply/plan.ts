import { resourceRecord, type ResourceRecord } from '../config/resource.ts';
import type { Section } from '../config/section.ts';
import { configError, fromByteString, unsupportedError, type ByteString } from '../config/source-text.ts';
import type { MetaConf } from '../config/meta-conf.ts';
import { checkFwupVersion } from '../config/fwup-version.ts';
import { checkTaskCalls, checkTaskSupported } from '../config/support.ts';
import { FlotillaError } from '../../error.ts';
import { planAction } from './action.ts';
import { diskTooSmall, type Disk } from './disk.ts';
import type { ActionContext, PlannedAction } from './planned-action.ts';
import { requirementHolds } from './requirement.ts';

/** A task made ready: every argument read, every reference found, nothing written. */
export interface TaskPlan {
  readonly title: string;
  readonly onInit: readonly PlannedAction[];
  readonly onFinish: readonly PlannedAction[];
  readonly onError: readonly PlannedAction[];
  readonly onResource: ReadonlyMap<ByteString, ResourcePlan>;
  /** Progress units of init, resources and finish. */
  readonly units: number;
}

export interface ResourcePlan {
  readonly record: ResourceRecord;
  readonly actions: readonly PlannedAction[];
}

/** Refuses what would otherwise be skipped silently: names of a newer fwup, the nickname. */
export function checkMetaConfSupported({ root, unknown, usesNickname }: MetaConf): void {
  checkFwupVersion(root);
  const first = unknown[0];
  if (first) throw unsupportedError(first.place, `'${fromByteString(first.name)}'`);
  if (usesNickname) throw unsupportedError(root.place, 'the variable FWUP_META_NICKNAME');
}

/** The first task, in file order, whose title starts with `name` and whose requirements all hold. */
export async function chooseTask(
  root: Section,
  name: ByteString,
  context: Pick<ActionContext, 'cache' | 'environment' | 'fat'>,
): Promise<Section> {
  const candidates = root.all('task').filter((task) => task.title.startsWith(name));
  for (const task of candidates) {
    // A task that cannot be judged is not one to step over: the next might be the wrong one.
    checkTaskSupported(task);
    checkTaskCalls(task, root);
    let holds = true;
    for (const call of task.calls) holds = holds && (await requirementHolds(call, context));
    if (holds) return task;
  }
  const shown = fromByteString(name);
  const titles = root.all('task').map((task) => fromByteString(task.title));
  throw new FlotillaError(
    'refused',
    'firmware-no-task',
    `no task '${shown}' of this bundle applies to the destination`,
    {
      seen: candidates.length > 0 ? 'the requirements of no task are met' : `tasks: ${titles.join(', ')}`,
      expected:
        candidates.length > 0 ? `one of ${candidates.map((task) => fromByteString(task.title)).join(', ')}` : shown,
    },
  );
}

export function planTask(task: Section, root: Section): TaskPlan {
  const section = (kind: string): PlannedAction[] => planSection(task.find(kind), root, undefined);
  const onResource = new Map<ByteString, ResourcePlan>();
  for (const on of task.all('on-resource')) {
    const resource = root.find('file-resource', on.title);
    if (!resource) {
      throw configError(on.place, `the resource '${fromByteString(on.title)}' is used, but its description is missing`);
    }
    const record = resourceRecord(resource);
    onResource.set(on.title, { record, actions: planSection(on, root, record) });
  }
  const plan = { title: fromByteString(task.title), onInit: section('on-init'), onFinish: section('on-finish'), onError: section('on-error'), onResource }; // prettier-ignore
  return { ...plan, units: actionsOf(plan).reduce((sum, { units }) => sum + units, 0) };
}

/** Before a byte is written: whether all of it fits on a medium whose end is known. */
export function checkRoom(plan: TaskPlan, disk: Disk): void {
  const end = Math.max(0, ...[...actionsOf(plan), ...plan.onError].map(({ endBytes }) => endBytes));
  if (disk.hardEndBytes !== undefined && end > disk.hardEndBytes) throw diskTooSmall(disk, end);
}

function actionsOf({
  onInit,
  onResource,
  onFinish,
}: Pick<TaskPlan, 'onInit' | 'onResource' | 'onFinish'>): PlannedAction[] {
  return [...onInit, ...[...onResource.values()].flatMap(({ actions }) => actions), ...onFinish];
}

function planSection(section: Section | undefined, root: Section, record: ResourceRecord | undefined): PlannedAction[] {
  if (!section) return [];
  const actions = section.calls.map((call) => planAction({ call, root, record }));
  if (actions.filter(({ readsData }) => readsData).length > 1) {
    throw configError(section.place, `the data of '${fromByteString(section.title)}' can be written once only`, {
      suggestion: 'write it with one action, or put it in twice as two resources',
    });
  }
  return actions;
}
