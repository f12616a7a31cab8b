import { actionSpecs, checkCall, requirementSpecs } from './call-spec.ts';
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

/** Throws at the first call of the task that this engine does not know: of a newer fwup, say. */
export function checkTaskSupported(task: Section): void {
  for (const { call, isRequirement } of callsOf(task)) {
    if (!(isRequirement ? requirementSpecs : actionSpecs).has(call.name)) {
      throw unsupportedError(call.place, fromByteString(call.name));
    }
  }
}
