import { actionSpecs, checkCall, checkSupported, requirementSpecs } from './call-spec.ts';
import type { Call, Section } from './section.ts';
import { configError, fromByteString, unsupportedError } from './source-text.ts';

/** Every call of a task with where it stands. */
export function* callsOf(task: Section): Generator<{ call: Call; inResource: boolean; isRequirement: boolean }> {
  for (const call of task.calls) yield { call, inResource: false, isRequirement: true };
  for (const { kind } of task.spec.sections) {
    for (const section of task.all(kind)) {
      for (const call of section.calls) yield { call, inResource: kind === 'on-resource', isRequirement: false };
    }
  }
}

/** Throws unless every call of the task exists and has sound arguments. */
export function checkTaskCalls(task: Section, root: Section): void {
  for (const { call, inResource, isRequirement } of callsOf(task)) checkOneCall(call, root, inResource, isRequirement);
}

export function checkOneCall(call: Call, root: Section, inResource: boolean, isRequirement: boolean): void {
  const spec = (isRequirement ? requirementSpecs : actionSpecs).get(call.name);
  if (!spec) {
    const names = [...(isRequirement ? requirementSpecs : actionSpecs).keys()].join(', ');
    throw configError(
      call.place,
      `no such ${isRequirement ? 'requirement' : 'action'} '${fromByteString(call.name)}'`,
      {
        expected: `one of ${names}`,
      },
    );
  }
  checkCall(spec, call, root, inResource);
}

/** Throws at the first thing in the configuration that this engine would not carry out. */
export function checkConfigSupported(root: Section): void {
  const gpt = root.all('gpt')[0];
  if (gpt) throw unsupportedError(gpt.place, 'a gpt section');
  for (const resource of root.all('file-resource')) {
    if (resource.flag('skip-holes')) throw unsupportedError(resource.placeOf('skip-holes'), 'skip-holes');
  }
  for (const task of root.all('task')) checkTaskSupported(task);
}

/** The same for one task: what apply asks before it touches the destination. */
export function checkTaskSupported(task: Section): void {
  if (task.has('require-partition1-offset')) {
    throw unsupportedError(task.placeOf('require-partition1-offset'), 'require-partition1-offset');
  }
  for (const { call, isRequirement } of callsOf(task)) {
    const spec = (isRequirement ? requirementSpecs : actionSpecs).get(call.name);
    if (!spec) throw unsupportedError(call.place, fromByteString(call.name));
    checkSupported(spec, call);
    if (call.args.some((argument) => argument.includes('${FWUP_META_NICKNAME'))) {
      throw unsupportedError(call.place, 'the variable FWUP_META_NICKNAME');
    }
  }
}
