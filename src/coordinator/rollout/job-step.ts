import type { StepProof } from '../../client/contract/rollout-action.ts';
import type { JobDevice, JobDocument } from '../job/job-state.ts';
import type { StepReport } from './step-report.ts';
import { stepJobId } from './step.ts';

/** What a device's part in a job means to the rollout that it belongs to; undefined: no news yet. */
export function jobStep(
  { action, rollout }: Pick<JobDocument, 'action' | 'rollout'>,
  device: JobDevice,
): StepReport | undefined {
  if (rollout === undefined) return undefined;
  const { attempt } = rollout;
  const setsConfig = action.kind === 'config';
  const { state, outcome, exitCode, signal, reason } = device;
  // Settings are never started: once they are on the device its product decides.
  if (state === 'started' || (setsConfig && state === 'delivered')) return { attempt, state: 'running' };
  if (state !== 'finished') return undefined;
  const jobId = stepJobId(rollout.id, attempt);
  const proof: StepProof = { kind: 'job', jobId, ...(exitCode === undefined ? {} : { exitCode }) };
  const because = (code: string) => {
    const ending = exitCode === undefined ? (signal === undefined ? [] : [`ended by ${signal}`]) : [`exit ${exitCode}`];
    return { code, message: [...ending, ...(reason === undefined ? [] : [reason])].join(', ') || code };
  };
  switch (outcome) {
    case 'succeeded':
      return { attempt, state: 'committed', proof };
    case 'failed':
      // The same document would end in the same way.
      return { attempt, state: 'failed', proof, reason: because('job-failed'), ...(setsConfig ? {} : { again: true }) };
    case 'expired':
      return { attempt, state: 'timed-out', reason: because('not-delivered'), again: true };
    case 'timed-out':
      return { attempt, state: 'timed-out', proof, reason: because('job-timed-out') };
    case 'rejected':
      // The product has looked at them and will not have them: that says something about the settings.
      if (setsConfig) return { attempt, state: 'failed', proof, reason: because('settings-refused') };
      return { attempt, state: 'rejected', proof, reason: because('job-rejected') };
    case 'cancelled':
      return { attempt, state: 'cancelled', reason: because('cancelled') };
    case 'unknown':
    case undefined:
      return { attempt, state: 'unknown', proof, reason: because('job-unknown') };
  }
}
