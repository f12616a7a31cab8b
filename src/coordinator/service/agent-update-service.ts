import type { AgentsUpdated, AgentUpdateProgress, UpdateAgents } from '../../client/contract/agent-update.ts';
import { FlotillaError } from '../../error.ts';
import { agentOfferWaits, offerAgent } from '../core/agent-update-operation.ts';
import type { CoreState, StoredRelease } from '../core/core-state.ts';
import { requireSize } from '../job/plan-job.ts';
import { agentUpdateUnderWay } from '../registry/agent-update.ts';
import { isAnnounced } from '../request/outbox.ts';
import { audit, type ServiceContext } from './context.ts';
import { findRelease } from './find-release.ts';
import { requireAgent } from './release-kind.ts';
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
    for (const deviceId of taken)
      offerAgent(turn, deviceId, { updateId, release: id, bundle: stored.offer, expiresAtMs, by: context.actor });
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
    const open = agentUpdateUnderWay(agentUpdate, nowMs);
    if (open !== undefined && !agentOfferWaits(state, deviceId, open.updateId)) return 'busy';
    if (agentUpdate.state === 'committed' && agentUpdate.bundleUuid === bundleUuid && agentVersion === version)
      return 'current';
  }
  return state.live.get(deviceId)?.standing === 'accepted' ? 'sent' : 'waiting';
}
