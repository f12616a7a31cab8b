import type { RolloutDraft } from './rollout-draft.ts';
import type { Reason, TargetDevice } from './target-device.ts';

/** The longest time in the penalty box. */
const maxBackoffMs = 7 * 86_400_000;

/**
 * A device has failed, or has said nothing for too long. It is tried again while its own budget and that of its phase
 * last: then it counts as no failure yet, and waits in the penalty box, twice as long each time.
 */
export function failTarget(
  draft: RolloutDraft,
  position: number,
  device: TargetDevice,
  { state, reason }: { state: 'failed' | 'timed-out'; reason?: Reason },
): void {
  const because = reason === undefined ? {} : { reason };
  const { policy, phases } = draft.document;
  const { retries = 0 } = device;
  const phase = phases[device.phase];
  const used = phase?.retries ?? 0;
  const isOver = draft.document.state === 'aborted' || draft.document.state === 'completed';
  if (policy.retry === undefined || phase === undefined || isOver)
    return draft.put(position, { ...device, ...because, state });
  if (retries >= policy.retry.perDevice || used >= policy.retry.perPhase)
    return draft.put(position, { ...device, ...because, state });
  const backoffMs = Math.min(maxBackoffMs, policy.retry.backoffSeconds * 1000 * 2 ** retries);
  draft.put(position, {
    ...device,
    ...because,
    state: 'queued',
    retries: retries + 1,
    notBeforeMs: draft.nowMs + backoffMs,
    ...(state === 'timed-out' ? { cancelAsked: true } : {}),
  });
  draft.state = {
    ...draft.state,
    document: { ...draft.document, phases: phases.with(device.phase, { ...phase, retries: used + 1 }) },
  };
}
