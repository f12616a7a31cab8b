/**
 * One job: which devices may start, and how each of them ends. Pure: `(job, input, now) → (job, effects)`; an input
 * that makes no sense in the present state returns the same state and no effects.
 *
 *   waiting → queued → delivered → started → (holding →) finished   (any may go to finished by a timer or a cancel)
 *
 * Every device finishes exactly once. What a device tells after the coordinator stopped waiting is noted in `reason`
 * and changes no outcome.
 */
import type { Reduced } from '../effect.ts';
import { finished, historyLost } from './device-end.ts';
import { JobDraft, underWay } from './job-draft.ts';
import type { JobFacts, JobInput } from './job-input.ts';
import type { JobState } from './job-state.ts';

export function reduceJob(state: JobState, input: JobInput, facts: JobFacts, nowMs: number): Reduced<JobState> {
  const job = new JobDraft(state, facts, nowMs);
  if (state.document.state === 'running') step(job, input);
  else if (input.kind === 'result') job.result(input.deviceId, input.event);
  return { state: job.state, effects: job.effects };
}

function step(job: JobDraft, input: JobInput): void {
  switch (input.kind) {
    case 'open':
    case 'more':
      break;
    case 'sent':
      job.change(input.deviceId, ['queued'], (device) => ({ ...device, sentAtMs: job.nowMs, wasSent: true }));
      break;
    case 'delivered':
      job.change(input.deviceId, ['queued'], (device) => ({ ...device, state: 'delivered', atMs: job.nowMs }));
      break;
    case 'result':
      job.result(input.deviceId, input.event);
      break;
    case 'config':
      job.takeFate(input.deviceId, input.fate);
      break;
    case 'connected':
      if (job.setsConfig) job.change(input.deviceId, ['queued'], (device) => ({ ...device, sentAtMs: job.nowMs }));
      if (job.device(input.deviceId)?.lostAtMs !== undefined) job.found(input.deviceId);
      job.lookAgainAt(input.deviceId);
      break;
    case 'heard':
      job.heard(input.deviceId, input.startedAtMs);
      break;
    case 'announced':
      job.refuseOld(input.deviceId);
      job.lookAgainAt(input.deviceId);
      break;
    case 'disconnected':
      job.change(input.deviceId, ['queued'], ({ sentAtMs: _, ...device }) => device);
      job.change(input.deviceId, ['started', 'holding'], (device) => ({ ...device, lostAtMs: job.nowMs }));
      break;
    case 'history-lost':
      if (job.setsConfig) break; // it is sent anew
      job.change(input.deviceId, underWay, (device) => finished(device, 'unknown', job.nowMs, historyLost));
      break;
    case 'removed':
      job.end(input.deviceId, 'cancelled', 'the device was removed from the fleet');
      break;
    case 'cancel':
      job.stop(input.reason);
      job.cancelRunning();
      break;
    case 'start':
      job.begin(input.deviceId, input.expiresAtMs);
      break;
    case 'cancel-device':
      job.cancelDevice(input.deviceId, input.reason);
      break;
    case 'close':
      job.close();
      break;
    case 'follow':
      job.followAll();
      break;
    case 'tick':
      job.endOverdue();
      break;
  }
  // A part whose turn has failed is made up for by the next tick.
  if (!job.state.moreToCome || input.kind === 'more' || input.kind === 'tick') job.fillWindow();
  job.finishWhenDone();
}
