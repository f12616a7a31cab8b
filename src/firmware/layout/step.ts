import type { Call, Section } from '../config/section.ts';
import { dataActions, effectsOf, type Effect, type ResourceSizes } from './effect.ts';

export type TaskEvent = 'on-init' | 'on-resource' | 'on-finish' | 'on-error';

/** One action of a task, at its turn. */
export interface Step {
  readonly event: TaskEvent;
  /** Inside on-resource. */
  readonly resource?: Section;
  readonly call: Call;
  readonly effects: readonly Effect[];
  /** Whether it takes the data of its resource. */
  readonly takesData: boolean;
}

/** The actions in the order in which they run: on-init, the resources as they lie in the archive, on-finish. */
export function stepsOf(task: Section, root: Section, sizes: ResourceSizes): Step[] {
  const resources = root.all('file-resource').flatMap((resource) => {
    const on = task.find('on-resource', resource.title);
    return on === undefined ? [] : stepsIn(on, 'on-resource', resource, sizes);
  });
  return [...eventSteps(task, 'on-init', sizes), ...resources, ...eventSteps(task, 'on-finish', sizes)];
}

export function errorSteps(task: Section, sizes: ResourceSizes): Step[] {
  return eventSteps(task, 'on-error', sizes);
}

function eventSteps(task: Section, event: Exclude<TaskEvent, 'on-resource'>, sizes: ResourceSizes): Step[] {
  const section = task.find(event);
  return section === undefined ? [] : stepsIn(section, event, undefined, sizes);
}

function stepsIn(section: Section, event: TaskEvent, resource: Section | undefined, sizes: ResourceSizes): Step[] {
  return section.calls.map((call) => ({
    event,
    ...(resource === undefined ? {} : { resource }),
    call,
    effects: effectsOf(call, resource, sizes),
    takesData: resource !== undefined && dataActions.has(call.name),
  }));
}

/** As it stands in a configuration: `raw_write(4096)`; a cipher's key is not shown. */
export function formatCall({ name, args }: Call): string {
  return `${name}(${args.map((argument) => argument.replace(/secret=[^,]*/g, 'secret=***')).join(', ')})`;
}
