import type { StepReport } from './install/step.ts';

/** One line a step, and what it came to. */
export function formatSteps(done: { steps: readonly StepReport[]; changes: number; dryRun: boolean }): string {
  const lines = done.steps.map(
    ({ change, what, detail }) => `${change.padEnd(9)}  ${what}${detail === undefined ? '' : `  (${detail})`}\n`,
  );
  const { changes, dryRun } = done;
  const count = `${changes} ${changes === 1 ? 'change' : 'changes'}`;
  const sum =
    changes === 0 ? 'Nothing to change: all is as it should be.' : dryRun ? `${count} would be made.` : `${count}.`;
  return `${lines.join('')}${sum}\n`;
}
