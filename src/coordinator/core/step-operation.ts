/** Carries out what rollouts do to devices where they bring no bundle: by jobs, by renewals of certificates, and by updates of agents. */
import type { OperatorAction } from '../../protocol/job-action.ts';
import type { Effect } from '../effect.ts';
import { createJobState, type JobDevice, type JobState } from '../job/job-state.ts';
import { isJobAction } from '../rollout/plan-action.ts';
import { stepJobId, stepUpdateId } from '../rollout/step.ts';
import { deviceOf, type RolloutState } from '../rollout/rollout-state.ts';
import { isInFlight } from '../rollout/target-device.ts';
import { dropAgentOffer, offerAgent } from './agent-update-operation.ts';
import { openJob, stepJob } from './job-operation.ts';
import { dropRenewal, endRenewal, wantRenewal } from './renewal-operation.ts';
import { stepRollout } from './rollout-operation.ts';
import type { Turn } from './turn.ts';

type RunStep = Extract<Effect, { kind: 'run-step' }>;
type CancelStep = Extract<Effect, { kind: 'cancel-step' }>;

export function runStep(turn: Turn, { rolloutId, deviceId, attempt, expiresAtMs }: RunStep): void {
  const rollout = turn.state.rollouts.get(rolloutId);
  const { action } = rollout?.document ?? {};
  if (rollout === undefined || action === undefined) return;
  if (action.kind === 'agent-update') {
    const { startedBy: by, terms } = rollout.document;
    return offerAgent(turn, deviceId, {
      updateId: stepUpdateId(rolloutId, attempt),
      ...terms!.program!,
      expiresAtMs,
      by,
    });
  }
  if (isJobAction(action)) {
    const jobId = stepJobId(rolloutId, attempt);
    if (!turn.state.jobs.has(jobId)) openJob(turn, newJob(rollout, attempt, turn.nowMs));
    return stepJob(turn, jobId, { kind: 'start', deviceId, expiresAtMs });
  }
  // One that somebody else has wanted goes on by its own rules, whatever becomes of the rollout.
  const { cause = 'due' } = turn.state.renewals.get(deviceId) ?? {};
  wantRenewal(turn, deviceId, cause === 'due' ? 'rollout' : cause);
  const reached = turn.state.renewals.get(deviceId)?.state;
  // Somebody else has had it begun already.
  if (reached === 'requested' || reached === 'issued')
    stepRollout(turn, rolloutId, { kind: 'step', deviceId, report: { attempt, state: 'running' } });
}

export function cancelStep(turn: Turn, { rolloutId, deviceId, attempt, reason }: CancelStep): void {
  const rollout = turn.state.rollouts.get(rolloutId);
  const { action } = rollout?.document ?? {};
  if (rollout === undefined || action === undefined) return;
  if (isJobAction(action))
    return stepJob(turn, stepJobId(rolloutId, attempt), { kind: 'cancel-device', deviceId, reason });
  const waits = isInFlight(deviceOf(rollout, deviceId)?.state ?? 'cancelled');
  if (action.kind === 'agent-update') {
    if (!dropAgentOffer(turn, deviceId, stepUpdateId(rolloutId, attempt)) || !waits) return;
  } else {
    if (turn.state.renewals.get(deviceId)?.cause !== 'rollout') return;
    // Nobody waits any more: it is not asked again.
    if (!waits) return endRenewal(turn, deviceId);
    if (!dropRenewal(turn, deviceId)) return;
  }
  const report = { attempt, state: 'cancelled', reason: { code: 'cancelled', message: reason } } as const;
  stepRollout(turn, rolloutId, { kind: 'step', deviceId, report });
}

/** The rollout is over: its jobs end with the devices that are at it. */
export function endSteps(turn: Turn, rolloutId: string): void {
  for (const [id, { document }] of turn.state.jobs)
    if (document.rollout?.id === rolloutId) stepJob(turn, id, { kind: 'close' });
}

/** The first try is everybody's, and shows who waits; a further one has those alone that came to it. */
function newJob({ document, devices }: RolloutState, attempt: number, nowMs: number): JobState {
  const { id, action, terms, selector, startedBy, policy } = document;
  const all =
    attempt > 1 ? [] : [...devices].map(({ deviceId }): JobDevice => ({ deviceId, state: 'waiting', atMs: nowMs }));
  return createJobState(
    {
      id: stepJobId(id, attempt),
      selector,
      action: operatorAction(action!),
      timeoutSeconds: terms!.timeoutSeconds,
      maxOutputBytes: 64 * 1024,
      submittedBy: startedBy,
      submittedAtMs: nowMs,
      expiresAtMs: nowMs + policy.deadlineSeconds * 1000,
      window: 0,
      maxFailures: 0,
      rollout: { id, attempt, open: true },
      ...(terms?.returners === undefined ? {} : { returners: [...terms.returners] }),
      state: 'running',
      matched: all.length,
      counts: all.length === 0 ? {} : { waiting: all.length },
    },
    all,
  );
}

function operatorAction(action: Exclude<RolloutState['document']['action'], undefined>): OperatorAction {
  switch (action.kind) {
    case 'job':
      return action.job;
    case 'config':
      return { kind: 'config', name: action.name, document: action.document };
    case 'certificate':
    case 'agent-update':
      throw new TypeError(`no job carries out ${action.kind}`);
  }
}
