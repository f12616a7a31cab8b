import type { UpdateEvent, UpdateState } from '../../protocol/event.ts';
import { judgeEvidence } from './judge-evidence.ts';
import type { RolloutDraft } from './rollout-draft.ts';
import { isInFlight, isOpen, type TargetDevice } from './target-device.ts';

type Ending = Extract<UpdateState, 'committed' | 'rolled-back' | 'failed' | 'rejected' | 'cancelled'>;
const endings: readonly string[] = ['committed', 'rolled-back', 'failed', 'rejected', 'cancelled'] satisfies Ending[];

/** What a device says about its update. Nothing here believes a success: see judge-evidence.ts. */
export function applyUpdate(draft: RolloutDraft, deviceId: string, event: UpdateEvent): void {
  const position = draft.state.index.get(deviceId);
  if (position === undefined || event.bundleUuid !== draft.document.bundle.bundleUuid) return;
  const device = draft.state.devices.at(position);
  // Never offered: whatever it tells of this rollout is not ours.
  if (device.attempts === 0 || event.state === 'idle') return;
  // Or it says so of an earlier time, which a coordinator that was restored has forgotten.
  if (event.state === 'rolled-back' || (event.state === 'rejected' && event.reason?.code === 'bundle-quarantined')) {
    draft.effects.push({ kind: 'quarantine-bundle', deviceId, bundleUuid: event.bundleUuid });
  }
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
  if (state !== 'committed') {
    draft.put(position, { ...ended, state, ...(event.reason === undefined ? {} : { reason: event.reason }) });
    return;
  }
  const verdict = judgeEvidence({
    evidence: event.evidence,
    bundleUuid: draft.document.bundle.bundleUuid,
    bootIdAtOffer: device.bootIdAtOffer,
    lastBoot: draft.facts.device(device.deviceId)?.running,
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
