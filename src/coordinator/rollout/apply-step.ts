import type { RolloutDraft } from './rollout-draft.ts';
import { failTarget } from './retry.ts';
import type { StepReport } from './step-report.ts';
import { isInFlight, type TargetDevice } from './target-device.ts';

/** What has become of the action on a device. Each of its tries ends once; what is told afterwards changes no count. */
export function applyStep(draft: RolloutDraft, deviceId: string, report: StepReport): void {
  const position = draft.state.index.get(deviceId);
  if (position === undefined) return;
  const { attempt, state, reason, proof, again } = report;
  const device = draft.state.devices.at(position);
  if (attempt !== undefined && attempt !== device.attempts) return;
  if (!isInFlight(device.state)) return noteLate(draft, position, report);
  if (state === 'running' && device.state === 'running') return noteSign(draft, position);
  const { reason: _, ...before } = device;
  const next: TargetDevice = {
    ...before,
    ...(proof === undefined ? {} : { proof }),
    ...(reason === undefined ? {} : { reason }),
    sinceMs: draft.nowMs,
    activeAtMs: draft.nowMs,
  };
  if (again === true && (state === 'failed' || state === 'timed-out'))
    return failTarget(draft, position, next, { state, ...(reason === undefined ? {} : { reason }) });
  draft.put(position, { ...next, state });
}

/** Each word of it puts the end of its time off, where the rollout's own timer counts it. */
function noteSign(draft: RolloutDraft, position: number): void {
  const device = draft.state.devices.at(position);
  if (draft.document.timers.running === undefined || device.activeAtMs === draft.nowMs) return;
  draft.put(position, { ...device, activeAtMs: draft.nowMs });
}

/** Once, and only where the coordinator had stopped waiting: the truth is kept, the count stays. */
function noteLate(draft: RolloutDraft, position: number, { state, reason }: StepReport): void {
  const device = draft.state.devices.at(position);
  if (device.late === true || (device.state !== 'timed-out' && device.state !== 'unknown') || state === 'running')
    return;
  const told = reason?.message ?? state;
  const known = device.reason?.message ?? device.state;
  // A job tells it in its own words, beginning with what was known before.
  const message = told.startsWith(known) ? told : `${known}; later the device reported: ${told}`;
  if (message === known) return;
  draft.put(position, { ...device, late: true, reason: { code: device.reason?.code ?? device.state, message } });
}
