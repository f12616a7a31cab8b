/** Updates of the agents' own program: what each device was sent last, and how that stands. */
import type { UpdateEvent } from '../../protocol/event.ts';
import type { BundleOffer } from '../../protocol/request.ts';
import type { AgentUpdateRow } from '../../store/agent-update-row.ts';
import { auditRule } from '../audit/write-audit.ts';
import { agentUpdateEnded } from '../registry/agent-update.ts';
import { judgeProgramEvidence } from '../rollout/judge-program-evidence.ts';
import { deviceOf } from '../rollout/rollout-state.ts';
import { stepUpdateId } from '../rollout/step.ts';
import type { StepReport } from '../rollout/step-report.ts';
import type { CoreState } from './core-state.ts';
import { changeDevice } from './device-operation.ts';
import { appendOwnEvent } from './event-operation.ts';
import { enqueueRequest, withdrawRequest } from './request-operation.ts';
import { stepRollout } from './rollout-operation.ts';
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
  tellRollouts(turn, deviceId, update);
}

export interface AgentOffer {
  updateId: string;
  release: string;
  bundle: BundleOffer;
  expiresAtMs: number;
  by: string;
}

/** In the place of one that the device never had. */
export function offerAgent(
  turn: Turn,
  deviceId: string,
  { updateId, release, bundle, expiresAtMs, by }: AgentOffer,
): void {
  const { version, bundleUuid, sha256 } = bundle;
  const before = turn.state.devices.get(deviceId)?.agentUpdate;
  if (before !== undefined) {
    withdrawRequest(turn, deviceId, 'agent.offer', before.updateId);
    const reason = { code: 'superseded', message: `${updateId} has taken its place` };
    if (!agentUpdateEnded(before)) tellOwnRollout(turn, deviceId, { ...before, state: 'cancelled', reason });
  }
  const state = 'offered';
  const update: AgentUpdateRow = {
    updateId,
    release,
    version,
    bundleUuid,
    sha256,
    expiresAtMs,
    state,
    atMs: turn.nowMs,
  };
  changeDevice(turn, deviceId, { kind: 'agent-update', update });
  enqueueRequest(turn, deviceId, {
    type: 'agent.offer',
    key: updateId,
    payload: { updateId, bundle, expiresAtMs },
    expiresAtMs,
  });
  appendOwnEvent(turn, {
    deviceId,
    type: 'coordinator.agent-offered',
    key: updateId,
    payload: { release, bundleUuid, by },
  });
  const live = turn.state.live.get(deviceId);
  if (live?.standing === 'accepted') turn.afterCommit((gateway) => gateway.grantBlob(live.connection, sha256));
}

/** It waits for the device to come: it may be taken back, and another one may take its place. */
export function agentOfferWaits(state: CoreState, deviceId: string, updateId: string): boolean {
  const outbox = state.outboxes.get(deviceId) ?? [];
  return outbox.some(({ type, key, seq }) => type === 'agent.offer' && key === updateId && seq === undefined);
}

/** Takes it back, unless the device may have begun. True when it did. */
export function dropAgentOffer(turn: Turn, deviceId: string, updateId: string): boolean {
  const update = turn.state.devices.get(deviceId)?.agentUpdate;
  if (update?.updateId !== updateId || !agentOfferWaits(turn.state, deviceId, updateId)) return false;
  withdrawRequest(turn, deviceId, 'agent.offer', updateId);
  changeDevice(turn, deviceId, { kind: 'agent-update', update: { ...update, state: 'cancelled', atMs: turn.nowMs } });
  return true;
}

/** The rollout that it is a step of, and those that wait for the device to be done with it. */
function tellRollouts(turn: Turn, deviceId: string, update: AgentUpdateRow): void {
  tellOwnRollout(turn, deviceId, update);
  if (!agentUpdateEnded(update)) return;
  for (const [id, { document }] of turn.state.rollouts)
    if (document.action?.kind === 'agent-update') stepRollout(turn, id, { kind: 'presence', deviceId });
}

function tellOwnRollout(turn: Turn, deviceId: string, update: AgentUpdateRow): void {
  for (const [id, rollout] of turn.state.rollouts) {
    const target = rollout.document.action?.kind === 'agent-update' ? deviceOf(rollout, deviceId) : undefined;
    if (target === undefined || update.updateId !== stepUpdateId(id, target.attempts)) continue;
    stepRollout(turn, id, { kind: 'step', deviceId, report: reportOf(update, target.attempts) });
  }
}

function reportOf({ updateId, version, state, reason }: AgentUpdateRow, attempt: number): StepReport {
  const because = reason === undefined ? {} : { reason };
  switch (state) {
    case 'offered':
    case 'downloading':
    case 'installing':
    case 'testing':
      return { attempt, state: 'running' };
    case 'committed':
      return { attempt, state, proof: { kind: 'agent-update', updateId, version } };
    case 'failed':
      return { attempt, state, ...because, again: true };
    default:
      return { attempt, state, ...because };
  }
}
