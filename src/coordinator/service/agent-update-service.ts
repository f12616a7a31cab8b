import type { AgentsUpdated, AgentUpdateProgress, UpdateAgents } from '../../client/contract/agent-update.ts';
import { FlotillaError } from '../../error.ts';
import type { AgentUpdateRow } from '../../store/agent-update-row.ts';
import type { CoreState, StoredRelease } from '../core/core-state.ts';
import { changeDevice } from '../core/device-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { enqueueRequest, withdrawRequest } from '../core/request-operation.ts';
import type { Turn } from '../core/turn.ts';
import { requireSize } from '../job/plan-job.ts';
import { agentOfferExpired, agentUpdateEnded } from '../registry/agent-update.ts';
import { isAnnounced } from '../request/outbox.ts';
import { audit, type ServiceContext } from './context.ts';
import { requireAgent } from './release-kind.ts';
import { findRelease } from './rollout-service.ts';
import { countAccepted, matchAccepted } from './target.ts';
import { viewAgentUpdate } from './view-agent-update.ts';

const defaultExpirySeconds = 7 * 86_400;

/**
 * Offers the agent of that release to every accepted device that matches and can take it. Each device tries it, proves it
 * or goes back by itself; `device show` and `device history` say which.
 */
export function updateAgents(context: ServiceContext, request: UpdateAgents): Promise<AgentsUpdated> {
  const { selector, max, expect, dryRun = false, expiresInSeconds = defaultExpirySeconds } = request;
  return context.core.submit((turn) => {
    const { state, nowMs } = turn;
    const stored = requireAgent(findRelease(state, request.release));
    const matched = matchAccepted(turn, selector);
    const size = { selector, ...(max === undefined ? {} : { max }), ...(expect === undefined ? {} : { expect }) };
    requireSize('agent-update', size, matched.length, countAccepted(state), context.jobs.confirmAboveShare);
    const { id, version, bundleUuid } = stored.release;
    const devices = matched.map((deviceId) => ({ deviceId, state: orderState(state, deviceId, stored, nowMs) }));
    const taken = devices.filter(isTaken).map(({ deviceId }) => deviceId);
    const answer = { release: id, version, bundleUuid, dryRun, devices };
    if (dryRun || taken.length === 0) return answer;
    const updateId = context.newId('a');
    const expiresAtMs = nowMs + expiresInSeconds * 1_000;
    for (const deviceId of taken) sendOffer(turn, deviceId, { updateId, stored, expiresAtMs, by: context.actor });
    audit(turn, context, 'agent.update', id, { selector, updateId, bundleUuid }, taken);
    return { updateId, ...answer };
  });
}

/** @throws when it is no device's last one */
export function showAgentUpdate({ core }: ServiceContext, updateId: string): Promise<AgentUpdateProgress> {
  return core.submit(({ state, nowMs }) => {
    const devices: AgentUpdateProgress['devices'] = [];
    for (const { id: deviceId, agentUpdate } of state.devices.values()) {
      if (agentUpdate?.updateId !== updateId) continue;
      const { state: stands, reason } = viewAgentUpdate(agentUpdate, nowMs);
      devices.push({ deviceId, state: stands, ...(reason === undefined ? {} : { reason }) });
    }
    if (devices.length > 0) return { updateId, devices };
    throw new FlotillaError('usage', 'agent-update-unknown', `no device was sent ${updateId} last`, {
      seen: updateId,
      suggestion: 'flotilla device history DEVICE --source agent shows those that have ended',
    });
  });
}

interface Offer {
  updateId: string;
  stored: StoredRelease;
  expiresAtMs: number;
  by: string;
}

function sendOffer(turn: Turn, deviceId: string, { updateId, stored, expiresAtMs, by }: Offer): void {
  const { id: release, version, bundleUuid, sha256 } = stored.release;
  const before = turn.state.devices.get(deviceId)?.agentUpdate;
  if (before !== undefined) withdrawRequest(turn, deviceId, 'agent.offer', before.updateId); // one that was never sent
  const update: AgentUpdateRow = {
    updateId,
    release,
    version,
    bundleUuid,
    sha256,
    expiresAtMs,
    state: 'offered',
    atMs: turn.nowMs,
  };
  changeDevice(turn, deviceId, { kind: 'agent-update', update });
  const payload = { updateId, bundle: stored.offer, expiresAtMs };
  enqueueRequest(turn, deviceId, { type: 'agent.offer', key: updateId, payload, expiresAtMs });
  appendOwnEvent(turn, {
    deviceId,
    type: 'coordinator.agent-offered',
    key: updateId,
    payload: { release, bundleUuid, by },
  });
  const live = turn.state.live.get(deviceId);
  if (live?.standing === 'accepted') turn.afterCommit((gateway) => gateway.grantBlob(live.connection, sha256));
}

type Order = AgentsUpdated['devices'][number];

function isTaken({ state }: Order): boolean {
  return state === 'sent' || state === 'waiting';
}

function orderState(state: CoreState, deviceId: string, { release }: StoredRelease, nowMs: number): Order['state'] {
  const device = state.devices.get(deviceId)!;
  const { agentUpdate, agentVersion, quarantinedBundles } = device;
  const { bundleUuid, version } = release;
  if (quarantinedBundles.includes(bundleUuid)) return 'reverted';
  if (!isAnnounced({ type: 'agent.offer', payload: '' }, device)) return 'too-old';
  if (agentUpdate !== undefined) {
    // What the device may have begun is the device's to end.
    const isOpen = !agentUpdateEnded(agentUpdate) && !agentOfferExpired(agentUpdate, nowMs);
    if (isOpen && !isUnsent(state, deviceId, agentUpdate)) return 'busy';
    if (agentUpdate.state === 'committed' && agentUpdate.bundleUuid === bundleUuid && agentVersion === version)
      return 'current';
  }
  return state.live.get(deviceId)?.standing === 'accepted' ? 'sent' : 'waiting';
}

/** It waits for the device to come: another one may take its place. */
function isUnsent(state: CoreState, deviceId: string, { updateId }: AgentUpdateRow): boolean {
  const outbox = state.outboxes.get(deviceId) ?? [];
  return outbox.some(({ type, key, seq }) => type === 'agent.offer' && key === updateId && seq === undefined);
}
