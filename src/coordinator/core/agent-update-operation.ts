/** Updates of the agents' own program: what each device was sent last, and how that stands. */
import type { UpdateEvent } from '../../protocol/event.ts';
import type { AgentUpdateRow } from '../../store/agent-update-row.ts';
import { auditRule } from '../audit/write-audit.ts';
import { agentUpdateEnded } from '../registry/agent-update.ts';
import { judgeProgramEvidence } from '../rollout/judge-program-evidence.ts';
import { changeDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

/** What a device says of the update of its agent. One that it was not sent from here (a restored coordinator) is history alone. */
export function noteAgentUpdate(turn: Turn, deviceId: string, event: UpdateEvent): void {
  const { bundleUuid, rolloutId, reason } = event;
  if (event.state === 'rolled-back' && changeDevice(turn, deviceId, { kind: 'quarantine-bundle', bundleUuid })) {
    appendOwnEvent(turn, {
      deviceId,
      type: 'coordinator.bundle-quarantined',
      key: bundleUuid,
      payload: { bundleUuid },
    });
    auditRule(turn, 'rollback', { action: 'bundle.quarantine', subject: bundleUuid, detail: {}, devices: [deviceId] });
  }
  const row = turn.state.devices.get(deviceId)?.agentUpdate;
  if (row?.updateId !== rolloutId || agentUpdateEnded(row)) return;
  const verdict = event.state === 'committed' ? judgeProgramEvidence(event.evidence, bundleUuid) : undefined;
  const state = verdict?.proven === false ? 'failed' : (event.state as AgentUpdateRow['state']);
  const why = verdict?.proven === false ? { code: 'evidence-insufficient', message: verdict.message } : reason;
  const { reason: _, ...rest } = row;
  const update: AgentUpdateRow = { ...rest, state, atMs: turn.nowMs, ...(why === undefined ? {} : { reason: why }) };
  changeDevice(turn, deviceId, { kind: 'agent-update', update });
}
