import { noteAgentUpdate } from './agent-update-operation.ts';
import { noteBundleAllowed } from './bundle-operation.ts';
import { stepConfig } from './config-operation.ts';
import { noteGivenUp } from './device-letter-operation.ts';
import { noteDropped, noteReport } from './device-log-operation.ts';
import { announceTypes, changeDevice } from './device-operation.ts';
import { takeGrains, takeGrainsChange } from './grain-operation.ts';
import { stepJob } from './job-operation.ts';
import type { Meaning } from './read-event.ts';
import { takeCertificateOutcome, takeCertificateRequest } from './renewal-operation.ts';
import { stepRollout } from './rollout-operation.ts';
import { learnSchema } from './schema-operation.ts';
import { answerTime, noteClock } from './time-operation.ts';
import type { Turn } from './turn.ts';
import { noteUpdate, takeSentReceipt } from './update-record-operation.ts';

/** What an event of our own types changes. */
export function carryOut(turn: Turn, deviceId: string, meaning: Meaning): void {
  switch (meaning.kind) {
    case 'boot':
      changeDevice(turn, deviceId, { kind: 'boot', ...meaning.event });
      for (const id of turn.state.rollouts.keys()) stepRollout(turn, id, { kind: 'presence', deviceId });
      return;
    case 'grains':
      return takeGrains(turn, deviceId, meaning.event.grains);
    case 'grains-change':
      return takeGrainsChange(turn, deviceId, meaning.event);
    case 'job':
      return stepJob(turn, meaning.event.jobId, { kind: 'result', deviceId, event: meaning.event });
    case 'update':
      noteUpdate(turn, deviceId, meaning.event);
      if (meaning.event.source === 'agent') return noteAgentUpdate(turn, deviceId, meaning.event);
      return stepRollout(turn, meaning.event.rolloutId, { kind: 'update', deviceId, event: meaning.event });
    case 'receipt':
      return takeSentReceipt(turn, deviceId, meaning.event);
    case 'schema':
      return learnSchema(turn, deviceId, meaning.event);
    case 'accepts':
      return announceTypes(turn, deviceId, meaning.event);
    case 'config':
      return stepConfig(turn, deviceId, meaning.event.name, { kind: 'report', event: meaning.event });
    case 'log':
      return noteReport(turn, deviceId, meaning.event);
    case 'gap':
      return noteDropped(turn, deviceId, meaning.event);
    case 'deadletter':
      return noteGivenUp(turn, deviceId, meaning.event);
    case 'time':
      return answerTime(turn, deviceId, meaning.event);
    case 'clock':
      return noteClock(turn, deviceId, meaning.event);
    case 'certificate-request':
      return takeCertificateRequest(turn, deviceId, meaning.event);
    case 'certificate':
      return takeCertificateOutcome(turn, deviceId, meaning.event);
    case 'bundle-allowed':
      return noteBundleAllowed(turn, deviceId, meaning.event);
    case 'job-beat':
      for (const { jobId, startedAtMs } of meaning.event.running) {
        stepJob(turn, jobId, { kind: 'heard', deviceId, startedAtMs });
      }
      return;
    case 'job-output':
      // Only of a job that this device is part of.
      if (turn.state.jobs.get(meaning.event.jobId)?.index.has(deviceId) !== true) return;
      return turn.notify({ kind: 'job-output', deviceId, event: meaning.event });
    case 'job-file':
    case 'reply':
    case 'history':
    case 'plain':
    case 'dead':
      return;
  }
}
