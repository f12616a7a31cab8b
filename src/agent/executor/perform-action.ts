import type { JobAction } from '../../protocol/job-action.ts';
import { runBounded, type BoundedResult } from '../machine/run-bounded.ts';
import type { ActionContext, ActionEnd, Perform } from './action.ts';

export interface ActionOption {
  /** Collects the grains and puts them into the log. */
  refreshGrains(): Promise<void>;
}

/** Each kind of action by the part of the agent that can do it. */
export function createActions(option: ActionOption): Perform {
  const perform = (action: JobAction, context: ActionContext): Promise<ActionEnd> => {
    switch (action.kind) {
      case 'ping':
        return Promise.resolve({ outcome: 'succeeded' });
      case 'command':
        return runCommand(action.argv, { ...context, shell: action.shell ?? false });
      case 'refresh':
        return option.refreshGrains().then(() => ({ outcome: 'succeeded' }));
    }
  };
  return async (action, context) => {
    try {
      return await perform(action, context);
    } catch (error) {
      if (context.signal.aborted) return { outcome: 'aborted' };
      return { outcome: 'failed', reason: error instanceof Error ? error.message : String(error) };
    }
  };
}

export async function runCommand(
  argv: readonly string[],
  { jobId, shell = false, ...bounds }: ActionContext & { shell?: boolean },
): Promise<ActionEnd> {
  const result = await runBounded({ argv, shell, ...bounds, environment: { FLOTILLA_JOB_ID: jobId } });
  const { exitCode, signal, stdout, stderr, truncatedBytes } = result;
  return {
    ...commandEnd(result),
    stdout,
    stderr,
    truncatedBytes,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** How a process that has ended, or could not begin, ends its action. */
export function commandEnd(result: BoundedResult): Pick<ActionEnd, 'outcome' | 'reason'> {
  switch (result.end) {
    case 'not-started':
      return { outcome: 'failed', reason: `it could not be started: ${result.message ?? 'no reason was given'}` };
    case 'timed-out':
      return { outcome: 'timed-out' };
    case 'aborted':
      return { outcome: 'aborted' };
    case 'exited':
      return { outcome: result.exitCode === 0 ? 'succeeded' : 'failed' };
  }
}
