import type { Section } from '../config/section.ts';
import { stepsOf, type Step } from './step.ts';
import type { ResourceSizes } from './effect.ts';

/**
 * What a task is for. `install` makes a disk from nothing; `upgrade` writes beside what runs; `refusal` is there to
 * say no; `other` writes no resource, or is something else (a factory reset, say).
 */
export type TaskKind = 'install' | 'upgrade' | 'refusal' | 'other';

export interface TaskModel {
  readonly task: Section;
  readonly kind: TaskKind;
  /** In the order in which they run; without on-error. */
  readonly steps: readonly Step[];
}

export function taskModels(root: Section, sizes: ResourceSizes): TaskModel[] {
  return root.all('task').map((task) => {
    const steps = stepsOf(task, root, sizes);
    return { task, kind: kindOf(task, steps), steps };
  });
}

function kindOf(task: Section, steps: readonly Step[]): TaskKind {
  const effects = steps.flatMap((step) => step.effects);
  const writesData = steps.some(({ takesData }) => takesData);
  if (effects.some(({ kind }) => kind === 'stop')) return 'refusal';
  if (/\bcomplete\b/.test(task.title)) return 'install';
  if (!writesData || /reset|factory|wipe/i.test(task.title)) return 'other';
  if (/\bupgrade\b/.test(task.title) || task.calls.length > 0) return 'upgrade';
  return effects.some(({ kind }) => kind === 'table') ? 'install' : 'upgrade';
}
