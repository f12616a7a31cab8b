import type { UpdateEvent, UpdateState } from '../../protocol/event.ts';
import { judgeEvidence } from './judge-evidence.ts';
import { failTarget } from './retry.ts';
import type { RolloutDraft } from './rollout-draft.ts';
import { isInFlight, isOpen, type TargetDevice } from './target-device.ts';

type Ending = Extract<UpdateState, 'committed' | 'rolled-back' | 'failed' | 'rejected' | 'cancelled'>;
const endings: readonly string[] = ['committed', 'rolled-back', 'failed', 'rejected', 'cancelled'] satisfies Ending[];

/** What a device says about its update. Nothing here believes a success: see judge-evidence.ts. */
export function applyUpdate(draft: RolloutDraft, deviceId: string, event: UpdateEvent): void {
  const position = draft.state.index.get(deviceId);
  if (position === undefined || event.bundleUuid !== draft.document.bundle?.bundleUuid) return;
  // Never offered: whatever it tells of this rollout is not ours.
  if (draft.state.devices.at(position).attempts === 0 || event.state === 'idle') return;
  // Or it says so of an earlier time, which a coordinator that was restored has forgotten.
  if (event.state === 'rolled-back' || (event.state === 'rejected' && event.reason?.code === 'bundle-quarantined')) {
    draft.effects.push({ kind: 'quarantine-bundle', deviceId, bundleUuid: event.bundleUuid });
  }
  if (draft.state.devices.at(position).cancelAsked === true && isOfEarlierAttempt(draft, position, event)) return;
  const device = draft.state.devices.at(position);
  if (!isInFlight(device.state)) return noteLate(draft, position, event);
  if (isEnding(event.state)) return end(draft, position, event, event.state);
  const state = event.state as TargetDevice['state'];
  if (!isOpen(state)) return;
  draft.put(position, {
    ...told(device, event),
    state,
    sinceMs: state === device.state ? device.sinceMs : draft.nowMs,
    activeAtMs: draft.nowMs,
  });
}

function end(draft: RolloutDraft, position: number, event: UpdateEvent, state: Ending): void {
  const device = told(draft.state.devices.at(position), event);
  const ended = { ...device, sinceMs: draft.nowMs, activeAtMs: draft.nowMs };
  if (state === 'failed') {
    return failTarget(draft, position, ended, {
      state,
      ...(event.reason === undefined ? {} : { reason: event.reason }),
    });
  }
  if (state !== 'committed') {
    draft.put(position, { ...ended, state, ...(event.reason === undefined ? {} : { reason: event.reason }) });
    return;
  }
  const verdict = judgeEvidence({
    evidence: event.evidence,
    bundleUuid: event.bundleUuid,
    bootIdAtOffer: device.bootIdAtOffer,
    lastBoot: draft.facts.running(device.deviceId),
  });
  if (verdict.proven) {
    const { reason: _, ...proven } = ended;
    draft.put(position, { ...proven, state: 'committed' });
  } else {
    draft.put(position, {
      ...ended,
      state: 'failed',
      reason: { code: 'evidence-insufficient', message: verdict.message },
    });
  }
}

/**
 * The device was told to cancel an attempt that is tried again. Its requests come in order: until it takes the next
 * offer, what it tells is about that attempt, and of no interest unless the cancel came too late to stop it.
 */
function isOfEarlierAttempt(draft: RolloutDraft, position: number, event: UpdateEvent): boolean {
  const { cancelAsked: _, ...device } = draft.state.devices.at(position);
  const answers = event.state === 'offered' || event.state === 'rejected';
  const goesOn = tooLate.includes(event.state) || (answers && device.state === 'offered');
  if (!goesOn) return true;
  const { notBeforeMs: _n, ...alive } = device;
  // Nobody takes it out of the hands of a device that writes already: it is in flight again.
  if (device.state === 'queued') draft.put(position, { ...alive, state: 'installing' });
  else draft.put(position, device);
  return false;
}

/** What a device tells only when it did not cancel. */
const tooLate: readonly UpdateState[] = ['installing', 'rebooting', 'testing', 'committed', 'rolled-back'];

/** Once, and only where the coordinator had stopped waiting: the truth is kept, the count stays. */
function noteLate(draft: RolloutDraft, position: number, event: UpdateEvent): void {
  const device = draft.state.devices.at(position);
  if (device.late === true || device.state !== 'timed-out' || !isEnding(event.state)) return;
  const message = `${device.reason?.message ?? 'timed out'}; later the device reported: ${event.state}`;
  draft.put(position, {
    ...told(device, event),
    late: true,
    reason: { code: device.reason?.code ?? 'timed-out', message },
  });
}

function told(device: TargetDevice, event: UpdateEvent): TargetDevice {
  const { wait: _, ...rest } = device;
  return {
    ...rest,
    ...(event.wait === undefined ? {} : { wait: event.wait }),
    attempts: Math.max(device.attempts, event.attempt),
    ...(event.progressBytes === undefined ? {} : { progressBytes: event.progressBytes }),
    ...(event.evidence === undefined ? {} : { evidence: event.evidence }),
  };
}

function isEnding(state: UpdateState): state is Ending {
  return endings.includes(state);
}
