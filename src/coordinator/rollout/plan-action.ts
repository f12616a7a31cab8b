/** What of a policy fits what it does: a field that would mean nothing is refused, so that nobody counts on it. */
import type { RolloutRequest } from '../../client/contract/rollout.ts';
import type { RolloutAction } from '../../client/contract/rollout-action.ts';
import { FlotillaError } from '../../error.ts';
import { digestJson } from './digest-json.ts';
import type { RolloutDocument, StepTerms, TimerPolicy } from './rollout-state.ts';

type TimedState = keyof TimerPolicy;

const firmwareStates: readonly TimedState[] = [
  'offered',
  'downloading',
  'verified',
  'installing',
  'rebooting',
  'testing',
];
/** Of what no job carries out. */
const ownStates: readonly TimedState[] = ['offered', 'running'];

/** States that a timer of the rollout ends; those of a job are ended by the job's own. */
function timedStates({ action }: Pick<RolloutRequest, 'action'>): readonly TimedState[] {
  if (action === undefined) return firmwareStates;
  return isJobAction(action) ? [] : ownStates;
}

/** A job carries it out, with its own limits on time. */
export function isJobAction(action: RolloutAction): action is Extract<RolloutAction, { kind: 'job' | 'config' }> {
  return action.kind === 'job' || action.kind === 'config';
}

/** @throws FlotillaError `usage` for a policy of nothing, of two things, or with what its action has not */
export function requireFit(request: RolloutRequest): void {
  const { release, action, windows, device, onFailure, timers = {} } = request;
  if ((release === undefined) === (action === undefined)) {
    throw new FlotillaError('usage', 'rollout-action', 'a policy brings a release, or does something else', {
      seen: release === undefined ? 'neither release nor action' : `release ${release} and an action`,
      expected: 'one of the two',
    });
  }
  const timed: readonly string[] = timedStates(request);
  const odd = [
    ...(action === undefined
      ? []
      : Object.keys(windows ?? {}).flatMap((name) => (name === 'offer' ? [] : [`windows.${name}`]))),
    ...(action !== undefined && device !== undefined ? ['device'] : []),
    ...(action !== undefined && typeof onFailure === 'object' ? ['onFailure.rollbackTo'] : []),
    ...Object.keys(timers).flatMap((state) => (timed.includes(state) ? [] : [`timers.${state}`])),
  ];
  if (odd.length === 0) return;
  const isJob = action !== undefined && isJobAction(action);
  throw new FlotillaError('usage', 'rollout-action-field', 'the policy says what this action has no place for', {
    seen: `${odd.join(', ')} beside ${action === undefined ? 'a release' : `an action of kind ${action.kind}`}`,
    suggestion: isJob ? 'leave it out; how long a device may take is timeout of the action' : 'leave it out',
  });
}

/** Seconds. An agent lets running jobs end before it goes, for an hour at most; then comes its trial. */
const leastAgentRunning = 7_200;

export function timersOf(request: RolloutRequest, defaults: Partial<TimerPolicy>): Partial<TimerPolicy> {
  const timers: Partial<TimerPolicy> = {};
  for (const state of timedStates(request)) {
    const usual = defaults[state];
    const isAgent = request.action?.kind === 'agent-update' && state === 'running';
    const seconds = request.timers?.[state] ?? (isAgent ? Math.max(usual ?? 0, leastAgentRunning) : usual);
    if (seconds !== undefined) timers[state] = seconds;
  }
  return timers;
}

export function actionTerms(
  { action }: RolloutRequest,
  terms: StepTerms = { timeoutSeconds: 0 },
): Pick<RolloutDocument, 'action' | 'terms'> {
  if (action === undefined) return {};
  if (action.kind === 'certificate') return { action };
  if (action.kind === 'agent-update') return { action, terms: { timeoutSeconds: 0, program: terms.program! } };
  const timeoutSeconds = action.timeoutSeconds ?? terms.timeoutSeconds;
  const digest = action.kind === 'config' ? { documentSha256: digestJson(action.document) } : {};
  return { action, terms: { ...terms, timeoutSeconds, ...digest } };
}
