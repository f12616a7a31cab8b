import { fromByteString } from '../config/source-text.ts';
import { locationsOf, meet } from '../layout/slot.ts';
import { formatCall, type Step } from '../layout/step.ts';
import { changedFacts, type Switch } from '../layout/switch.ts';
import type { TaskModel } from '../layout/task-model.ts';
import type { LintContext, Rule } from './rule.ts';

/** Variables whose name says that a boot loader chooses by them, whatever else the configuration tells about them. */
const bootVariable = /active|slot|^upgrade_available$|^ustate$|^boot_?(?:order|part)/i;

/** Rules on the order: what decides which slot boots is changed once, by one write, after all the data. */
export const orderRules: readonly Rule[] = [
  {
    code: 'switch-before-data',
    severity: 'error',
    why: 'when the power fails in between, the device boots a slot that is not written yet',
    mend: 'move it to the end of on-finish: that runs only after every resource was written and its hash held',
    *check({ model }) {
      for (const task of upgradesOf(model)) {
        for (const { step, what } of earlyChanges(task, model)) {
          yield { place: step.call.place, task, seen: `${shown(step)} in ${step.event} changes ${what} before the last data is written` }; // prettier-ignore
        }
      }
    },
  },
  {
    code: 'switch-not-last',
    severity: 'warning',
    why: 'a power cut between the two leaves a device that boots the new slot without the rest',
    mend: 'make the change of the switch the last action of on-finish',
    *check({ model }) {
      for (const task of upgradesOf(model)) {
        const telling = model.switches.filter(({ tellsSlots }) => tellsSlots);
        const switching = task.steps.findLastIndex((step) => changesSwitch(step, telling, model) !== undefined);
        if (switching < 0 || isEarly(task, switching, model)) continue;
        const after = task.steps
          .slice(switching + 1)
          .find(({ effects }) => effects.some(({ kind }) => kind !== 'outside' && kind !== 'stop'));
        if (after === undefined) continue;
        yield { place: after.call.place, task, seen: `${shown(after)} comes after ${shown(task.steps[switching]!)}` };
      }
    },
  },
  {
    code: 'two-switches',
    severity: 'warning',
    why: 'two places cannot change in one stroke: between the two writes they contradict each other',
    mend: 'let one of them alone decide what boots',
    *check({ model }) {
      for (const task of upgradesOf(model)) {
        const telling = model.switches.filter(({ tellsSlots }) => tellsSlots);
        const steps = task.steps.filter((step) => changesSwitch(step, telling, model) !== undefined);
        const stores = new Map(steps.map((step) => [storeOf(step), step]));
        if (stores.size < 2) continue;
        const [first, second] = [...stores.values()];
        yield { place: second!.call.place, task, seen: `${shown(first!)} and ${shown(second!)} both decide which slot boots` }; // prettier-ignore
      }
    },
  },
  {
    code: 'table-in-upgrade',
    severity: 'warning',
    why: 'when the power fails while the partition table is written, the device has none',
    mend: 'write the table in the task that makes the disk; check it with require-partition-offset in upgrades',
    *check({ model }) {
      for (const task of upgradesOf(model)) {
        for (const step of task.steps) {
          const writesTable = step.effects.some(({ kind }) => kind === 'table');
          if (!writesTable || changesSwitch(step, model.switches, model) !== undefined) continue;
          yield { place: step.call.place, task, seen: `${shown(step)} in an upgrade` };
        }
      }
    },
  },
  {
    code: 'environment-cleared',
    severity: 'error',
    why: "every variable is gone, with the device's own ones and the one that names the slot to boot",
    mend: 'set and unset the variables that change; uboot_recover makes an environment only where there is none',
    *check({ model }) {
      for (const task of upgradesOf(model)) {
        for (const step of task.steps) {
          if (step.effects.some((effect) => effect.kind === 'environment' && effect.change === 'clear')) {
            yield { place: step.call.place, task, seen: `${shown(step)} in an upgrade` };
          }
        }
      }
    },
  },
  {
    code: 'no-on-error',
    severity: 'warning',
    why: 'an update that fails after this leaves it changed: nothing puts it back',
    mend: 'do it in on-finish, or put it back in on-error',
    *check({ model }) {
      for (const task of upgradesOf(model)) {
        if ((task.task.find('on-error')?.calls.length ?? 0) > 0) continue;
        const step = task.steps.find(
          (candidate, at) => isEarly(task, at, model) && touchesRunning(candidate, task, model),
        );
        if (step === undefined) continue;
        yield { place: step.call.place, task, seen: `${shown(step)} in ${step.event}, and the task has no on-error` };
      }
    },
  },
];

type Model = LintContext['model'];

function upgradesOf({ tasks }: Model): TaskModel[] {
  return tasks.filter(({ kind }) => kind === 'upgrade');
}

/** Whether data is still to come after this step; the switch itself may be a resource. */
function isEarly({ steps }: TaskModel, at: number, model: Model): boolean {
  return steps.slice(at + 1).some((step) => step.takesData && changesSwitch(step, model.switches, model) === undefined);
}

function* earlyChanges(task: TaskModel, model: Model): Generator<{ step: Step; what: string }> {
  for (const [at, step] of task.steps.entries()) {
    if (!isEarly(task, at, model)) continue;
    const switched = changesSwitch(step, model.switches, model);
    if (switched) yield { step, what: switched.label };
    else {
      const named = step.effects.find((effect) => effect.kind === 'environment' && effect.change === 'set' && bootVariable.test(effect.variable ?? '')); // prettier-ignore
      if (named?.kind === 'environment') yield { step, what: fromByteString(named.variable ?? '') };
    }
  }
}

function changesSwitch(step: Step, switches: readonly Switch[], { root }: Model): Switch | undefined {
  const keys = step.effects.flatMap((effect) => changedFacts(effect, root)).map(({ key }) => key);
  return switches.find(({ key }) => keys.includes(key));
}

/** What is written in one go: a U-Boot environment, the partition table, a FAT. */
function storeOf({ effects: [effect] }: Step): string {
  if (effect?.kind === 'environment') return `environment ${effect.environment}`;
  return effect?.kind === 'file' ? `FAT ${effect.fatBlock}` : 'table';
}

/** Tables, whole environments, switches, and files that another slot's upgrade writes too. */
function touchesRunning(step: Step, task: TaskModel, model: Model): boolean {
  if (changesSwitch(step, model.switches, model) !== undefined) return true;
  return step.effects.some((effect) => {
    if (effect.kind === 'table') return true;
    if (effect.kind === 'environment') return effect.change === 'clear';
    if (effect.kind !== 'file' || (effect.change !== 'remove' && effect.change !== 'copy')) return false;
    const file = { kind: 'file' as const, fatBlock: effect.fatBlock, path: effect.path };
    const others = upgradesOf(model).filter((other) => other !== task);
    return others.some((other) => locationsOf(other, [], model.regions).some((place) => meet(place, file)));
  });
}

function shown({ call }: Step): string {
  return fromByteString(formatCall(call));
}
