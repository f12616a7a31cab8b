import { fromByteString } from '../config/source-text.ts';
import type { Call } from '../config/section.ts';
import { formatCall } from '../layout/step.ts';
import { changedFacts, requiredFact } from '../layout/switch.ts';
import { partitionsOf, tablesOf } from '../layout/partition.ts';
import type { TaskModel } from '../layout/task-model.ts';
import type { DiskModel } from '../layout/disk-model.ts';
import type { Rule } from './rule.ts';

/** Rules on choosing a task: every title that begins with the name asked for is tried, in the order of the file. */
export const taskRules: readonly Rule[] = [
  {
    code: 'task-unreachable',
    severity: 'error',
    why: 'the earlier task holds whenever this one would: this one never runs, and the earlier one runs in its place',
    mend: 'give the earlier task the requirement that tells them apart, or move this one before it',
    *check({ model }) {
      for (const [at, task] of model.tasks.entries()) {
        const wanted = new Set(task.task.calls.map(signature));
        const shadow = model.tasks
          .slice(0, at)
          .find(
            (earlier) => mayStandIn(earlier, task) && earlier.task.calls.every((call) => wanted.has(signature(call))),
          );
        if (shadow === undefined) continue;
        const needs = shadow.task.calls.length === 0 ? 'requires nothing' : 'requires nothing that this one does not require'; // prettier-ignore
        yield {
          place: task.task.place,
          task,
          seen: `stands behind ${fromByteString(shadow.task.title)}, which ${needs}`,
        };
      }
    },
  },
  {
    code: 'contradictory-requirements',
    severity: 'error',
    why: 'both can never hold: the task never runs',
    mend: 'take one of them away',
    *check({ model }) {
      for (const task of model.tasks) {
        const seen = new Map<string, Call>();
        for (const call of task.task.calls) {
          const subject = subjectOf(call);
          if (subject === undefined) continue;
          const before = seen.get(subject);
          if (before && signature(before) !== signature(call)) {
            yield { place: call.place, task, seen: `${shown(before)} and ${shown(call)}` };
          }
          seen.set(subject, call);
        }
      }
    },
  },
  {
    code: 'upgrade-without-requirement',
    severity: 'error',
    why: 'it runs on every device, whichever slot that runs from and whatever disk that has',
    mend: 'require the slot that the task does not write: require-uboot-variable, require-partition-offset or require-fat-file-match', // prettier-ignore
    *check({ model }) {
      for (const task of model.tasks) {
        if (task.kind === 'upgrade' && task.task.calls.length === 0 && !task.task.has('require-partition1-offset')) {
          yield {
            place: task.task.place,
            task,
            seen: `${fromByteString(task.task.title)} writes data and requires nothing`,
          };
        }
      }
    },
  },
  {
    code: 'requirement-never-met',
    severity: 'warning',
    why: 'no task of this file makes it so: only a device that got it elsewhere takes this task',
    mend: 'compare the value with what the tasks set',
    *check({ model }) {
      for (const task of model.tasks) {
        for (const call of task.task.calls) {
          const fact = requiredFact(call);
          if (fact?.value === undefined || fact.kind === 'file' || fact.value.includes('${')) continue;
          const made = valuesMade(model, fact.key);
          // A flag that tasks set to one value only is turned by the device itself.
          if (made.size < (fact.kind === 'variable' ? 2 : 1) || made.has(fact.value)) continue;
          yield { place: call.place, task, seen: `${shown(call)}; the tasks of this file make it ${[...made].join(' or ')}` }; // prettier-ignore
        }
      }
    },
  },
  {
    code: 'needs-unsafe',
    severity: 'warning',
    why: 'it is refused unless whoever applies the bundle allows it with --unsafe, and agents do not',
    mend: "do it in the device's own software",
    *check({ model }) {
      for (const task of model.tasks) {
        const step = task.steps.find(({ effects }) => effects.some((effect) => effect.kind === 'outside' && effect.unsafe)); // prettier-ignore
        const call = step?.call ?? task.task.calls.find(({ name }) => name === 'require-execute');
        if (call !== undefined) yield { place: call.place, task, seen: shown(call) };
      }
    },
  },
  {
    code: 'task-missing',
    severity: 'advice',
    why: 'by convention `complete` makes a disk from nothing and `upgrade…` updates one; agents ask for them by name',
    mend: 'add the task, if devices are made or updated with this file',
    *check({ model }) {
      for (const name of ['complete', 'upgrade']) {
        if (!model.tasks.some(({ task }) => task.title.startsWith(name))) {
          yield { place: model.root.place, seen: `no task begins with '${name}'` };
        }
      }
    },
  },
];

/** Whether a request for the later task, by its whole name or by the usual one (up to the first dot or dash), means both. */
function mayStandIn(earlier: TaskModel, later: TaskModel): boolean {
  if (earlier.task.title.startsWith(later.task.title)) return true;
  const group = /^[^.\-_]*/.exec(later.task.title)?.[0] ?? '';
  const alike = earlier.kind === later.kind || earlier.kind === 'refusal' || later.kind === 'refusal';
  return alike && group !== '' && earlier.task.title.startsWith(group);
}

/** What a requirement is about, where only one value can hold. */
function subjectOf({ name, args }: Call): string | undefined {
  switch (name) {
    case 'require-uboot-variable':
      return `${name}\0${args[0]}\0${args[1]}`;
    case 'require-partition-offset':
    case 'require-path-at-offset':
      return `${name}\0${args[0]}`;
    default:
      return undefined;
  }
}

function valuesMade({ tasks, root }: DiskModel, key: string): Set<string> {
  const facts = tasks.flatMap(({ steps }: TaskModel) =>
    steps.flatMap(({ effects }) => effects.flatMap((effect) => changedFacts(effect, root))),
  );
  const tables = tablesOf(root)
    .flatMap(partitionsOf)
    .filter(({ index }) => `partition\0${index}` === key)
    .map(({ range }) => String(range.firstBlock));
  return new Set([...facts.flatMap((fact) => (fact.key === key ? (fact.value ?? []) : [])), ...tables]);
}

function signature({ name, args }: Call): string {
  return [name, ...args].join('\0');
}

function shown(call: Call): string {
  return fromByteString(formatCall(call));
}
