import { fromByteString } from '../config/source-text.ts';
import { formatCall } from '../layout/step.ts';
import type { Rule } from './rule.ts';

/** Rules on resources and what is done with them. */
export const resourceRules: readonly Rule[] = [
  {
    code: 'resource-unused',
    severity: 'warning',
    why: 'every device downloads it and no task writes it',
    mend: 'write it in a task, or take it out',
    *check({ model }) {
      for (const resource of model.root.all('file-resource')) {
        const used = model.tasks.some(({ task }) => task.find('on-resource', resource.title));
        if (!used) yield { place: resource.place, seen: `no task has on-resource ${fromByteString(resource.title)}` };
      }
    },
  },
  {
    code: 'resource-not-written',
    severity: 'warning',
    why: 'its data is not read, so its hash is not checked either',
    mend: 'write it, or take the on-resource away',
    *check({ model }) {
      for (const task of model.tasks) {
        for (const on of task.task.all('on-resource')) {
          const steps = task.steps.filter(({ resource }) => resource?.title === on.title);
          if (steps.some(({ takesData, effects }) => takesData || effects.some(({ kind }) => kind === 'stop')))
            continue;
          yield { place: on.place, task, seen: `on-resource ${fromByteString(on.title)} has no action that takes the data` }; // prettier-ignore
        }
      }
    },
  },
  {
    code: 'resource-taken-twice',
    severity: 'error',
    why: 'the data comes once: the second action gets none and the update fails',
    mend: 'copy with fat_cp, or put the file in as a second resource',
    *check({ model }) {
      for (const task of model.tasks) {
        for (const on of task.task.all('on-resource')) {
          const [, second] = task.steps.filter(({ resource, takesData }) => takesData && resource?.title === on.title);
          if (second !== undefined) {
            yield { place: second.call.place, task, seen: `${fromByteString(formatCall(second.call))} is the second to take ${fromByteString(on.title)}` }; // prettier-ignore
          }
        }
      }
    },
  },
  {
    code: 'fat-directory-missing',
    severity: 'error',
    why: 'the file system was made new and has no such folder: the update fails there',
    mend: 'fat_mkdir it after fat_mkfs, its parents first',
    *check({ model }) {
      for (const task of model.tasks) {
        const folders = new Map<number, Set<string>>();
        for (const { effects, call } of task.steps) {
          for (const effect of effects) {
            if (effect.kind === 'format') folders.set(effect.range.firstBlock, new Set(['']));
            if (effect.kind !== 'file' || effect.change === 'remove') continue;
            const known = folders.get(effect.fatBlock); // undefined: not made by this task, so not known
            const parent = effect.path.replace(/\/?[^/]*$/, '');
            if (known && !known.has(parent)) {
              yield { place: call.place, task, seen: `${fromByteString(formatCall(call))}: nothing made the folder ${fromByteString(parent)}` }; // prettier-ignore
            }
            if (effect.change === 'directory') known?.add(effect.path);
          }
        }
      }
    },
  },
  {
    code: 'secret-in-bundle',
    severity: 'warning',
    why: 'meta.conf is not encrypted: whoever has the bundle has the key',
    mend: 'let the device give the key when it applies: secret=\\${NAME}',
    *check({ model }) {
      for (const task of model.tasks) {
        for (const { call } of task.steps) {
          if (call.args.some((argument) => /secret=(?!\$\{)./.test(argument))) {
            yield { place: call.place, task, seen: fromByteString(formatCall(call)) };
          }
        }
      }
    },
  },
];
