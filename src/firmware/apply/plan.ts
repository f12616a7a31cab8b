import { resourceRecord, type ResourceRecord } from '../config/resource.ts';
import type { Section } from '../config/section.ts';
import { configError, fromByteString, unsupportedError, type ByteString } from '../config/source-text.ts';
import type { MetaConf } from '../config/meta-conf.ts';
import { checkFwupVersion } from '../config/fwup-version.ts';
import { checkTaskCalls, checkTaskSupported } from '../config/support.ts';
import { FlotillaError } from '../../error.ts';
import { hasAction, planAction } from './action.ts';
import { diskTooSmall, type Disk } from './disk.ts';
import type { ActionContext, PlanInput, PlannedAction } from './planned-action.ts';
import { obsoleteRequirementHolds, requirementHolds } from './requirement.ts';

/** A task made ready: every argument read, every reference found, nothing written. */
export interface TaskPlan {
  readonly title: string;
  readonly onInit: readonly NamedAction[];
  readonly onFinish: readonly NamedAction[];
  readonly onError: readonly NamedAction[];
  readonly onResource: ReadonlyMap<ByteString, ResourcePlan>;
  /** Progress units of init, resources and finish. */
  readonly units: number;
}

export interface ResourcePlan {
  readonly section: Section;
  readonly record: ResourceRecord;
  readonly actions: readonly NamedAction[];
}

export interface NamedAction extends PlannedAction {
  readonly name: string;
}

/** Refuses what would otherwise be skipped silently: names of a newer fwup. */
export function checkMetaConfSupported({ root, unknown }: MetaConf): void {
  checkFwupVersion(root);
  const first = unknown[0];
  if (first) throw unsupportedError(first.place, `'${fromByteString(first.name)}'`);
}

/** The first task, in file order, whose title starts with `name` and whose requirements all hold. */
export async function chooseTask(
  root: Section,
  name: ByteString,
  context: ActionContext,
  asFwup: boolean,
): Promise<Section> {
  const candidates = root.all('task').filter((task) => task.title.startsWith(name));
  for (const task of candidates) {
    if (!asFwup) {
      // A task that cannot be judged is not one to step over: the next might be the wrong one.
      checkTaskSupported(task);
      checkTaskCalls(task, root);
      if (await isApplicable(task, context)) return task;
    } else if (await isApplicable(task, context).catch(() => false)) return task;
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
      fwup: `Couldn't find applicable task '${shown}'. If task is available, the task's requirements may not be met.`,
    },
  );
}

async function isApplicable(task: Section, context: ActionContext): Promise<boolean> {
  if (!(await obsoleteRequirementHolds(task, context))) return false;
  for (const call of task.calls) {
    if (!(await requirementHolds(call, context))) return false;
  }
  return true;
}

/**
 * `asFwup`: arguments that are wrong show when their action's turn comes, after everything before it was done. Only
 * actions that there are none of are refused at once.
 */
export function planTask(task: Section, root: Section, asFwup: boolean): TaskPlan {
  const plan = (section: Section | undefined, record?: ResourceRecord): NamedAction[] =>
    section ? planSection(section, root, record, asFwup) : [];
  const onResource = new Map<ByteString, ResourcePlan>();
  for (const section of task.all('on-resource')) {
    const resource = root.find('file-resource', section.title);
    if (!resource) throw undescribed(section);
    const record = resourceRecord(resource);
    onResource.set(section.title, { section, record, actions: plan(section, record) });
  }
  const found = {
    title: fromByteString(task.title),
    onInit: plan(task.find('on-init')),
    onFinish: plan(task.find('on-finish')),
    onError: plan(task.find('on-error')),
    onResource,
  };
  return { ...found, units: actionsOf(found).reduce((sum, { units }) => sum + units, 0) };
}

function undescribed({ place, title }: Section): FlotillaError {
  const shown = fromByteString(title);
  return configError(place, `the resource '${shown}' is used, but its description is missing`, {
    fwup: `Resource '${shown}' used, but metadata is missing. Archive is corrupt.`,
  });
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

function planSection(
  section: Section,
  root: Section,
  record: ResourceRecord | undefined,
  asFwup: boolean,
): NamedAction[] {
  const actions = section.calls.map((call) => {
    const input = { call, root, record };
    return { ...(asFwup ? planLate(input) : planAction(input)), name: fromByteString(call.name) };
  });
  if (!asFwup && actions.filter(({ readsData }) => readsData).length > 1) {
    throw configError(section.place, `the data of '${fromByteString(section.title)}' can be written once only`, {
      suggestion: 'write it with one action, or put it in twice as two resources',
    });
  }
  return actions;
}

function planLate(input: PlanInput): PlannedAction {
  if (!hasAction(input.call.name)) {
    throw configError(input.call.place, `no such action '${fromByteString(input.call.name)}'`, {
      fwup: 'Unknown function',
    });
  }
  try {
    return planAction(input);
  } catch (error) {
    return {
      units: 0,
      endBytes: 0,
      readsData: false,
      async run() {
        throw error;
      },
    };
  }
}
