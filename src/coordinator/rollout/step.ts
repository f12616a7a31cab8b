/** What the actions that bring no release have in common: they are carried out by the coordinator's own machines. */
import type { Effect } from '../effect.ts';
import type { RequestType } from '../../protocol/request.ts';
import type { Asking } from './action.ts';
import { rule, type OfferRule } from './rule.ts';

/** The device of this asking is about to begin its next try. */
export function runStep({ document: { id, policy }, target: { deviceId, attempts }, nowMs }: Asking): Effect {
  const expiresAtMs = nowMs + policy.deadlineSeconds * 1000;
  return { kind: 'run-step', rolloutId: id, deviceId, attempt: attempts + 1, expiresAtMs };
}

export function cancelStep({
  document: { id },
  target: { deviceId, attempts },
  reason,
}: Asking & { reason: string }): Effect {
  return { kind: 'cancel-step', rolloutId: id, deviceId, attempt: attempts, reason: reason.slice(0, 256) };
}

export function takesRule({ target: { deviceId }, facts }: Asking, type: RequestType): OfferRule {
  const takes = facts.takes(deviceId, type);
  // One that has not said it yet is asked all the same: the request waits for it, for as long as the policy says.
  return rule('takes', takes === false ? 'cancel' : 'ok', () => {
    if (takes === true) return `its agent takes ${type}`;
    return takes === false
      ? `its agent does not take ${type}: update the agent first`
      : 'its agent has not said yet what it takes';
  });
}

/** The id of the update that a try is on the device. */
export function stepUpdateId(rolloutId: string, attempt: number): string {
  return attempt === 1 ? `${rolloutId}-agent` : `${rolloutId}-agent-${attempt}`;
}

/** One job carries out each try of all devices: results and output are found under this id. */
export function stepJobId(rolloutId: string, attempt: number): string {
  return attempt === 1 ? `${rolloutId}-job` : `${rolloutId}-job-${attempt}`;
}
