import { FlotillaError } from '../../error.ts';
import { Undo } from './undo.ts';

/** `kept`: it is there, is not as it would be made today, and is not ours to change. `skipped`: not possible here; said why. */
export type Change = 'unchanged' | 'create' | 'change' | 'remove' | 'start' | 'restart' | 'stop' | 'kept' | 'skipped';

export interface Inspection {
  change: Change;
  detail?: string;
}

/** One thing that is to be so. Looking comes first and has no effect; doing it is the same whatever the others did. */
export interface Step {
  /** `file /etc/flotilla/agent.yaml`; a person reads it. */
  what: string;
  inspect(earlier: readonly StepReport[]): Promise<Inspection>;
  apply(undo: Undo, inspection: Inspection): Promise<void>;
}

export interface StepReport extends Inspection {
  what: string;
}

const quiet = new Set<Change>(['unchanged', 'kept', 'skipped']);

export function isEffect({ change }: Inspection): boolean {
  return !quiet.has(change);
}

/**
 * Looks at each step and does it where it is not so already. When one fails, all is as it was before: the error says
 * which one, why, and what (if anything) could not be taken back. With `dryRun` the same looking and no effect.
 */
export async function takeSteps(steps: readonly Step[], { dryRun = false } = {}): Promise<StepReport[]> {
  const reports: StepReport[] = [];
  const undo = new Undo();
  for (const step of steps) {
    try {
      const inspection = await step.inspect(reports);
      reports.push({ what: step.what, ...inspection });
      if (!dryRun && isEffect(inspection)) await step.apply(undo, inspection);
    } catch (error) {
      throw await takenBack(step, error, undo);
    }
  }
  await undo.keep();
  return reports;
}

async function takenBack(step: Step, error: unknown, undo: Undo): Promise<FlotillaError> {
  const faults = await undo.takeBack();
  const cause = error instanceof FlotillaError ? error : undefined;
  const left = faults.length === 0 ? 'everything is as it was before' : `not taken back: ${faults.join('; ')}`;
  return new FlotillaError(
    cause?.fault ?? 'failed',
    cause?.code ?? 'install-step-failed',
    `${step.what}: ${error instanceof Error ? error.message : String(error)} (${left})`,
    { ...cause?.detail, cause: error },
  );
}
