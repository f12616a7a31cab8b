import type { Connect } from '../gateway/port.ts';
import { historyOutcomes, judgeHistory } from '../identity/judge-history.ts';
import { instanceHex } from './core-state.ts';
import { appendOwnEvent } from './event-operation.ts';
import { enqueueRequest } from './request-operation.ts';
import type { Turn } from './turn.ts';

const introductionMs = 86_400_000;

/** Names what has happened to the storage of a device that connects; a history that simply goes on is no news. */
export function noteHistory(turn: Turn, connect: Connect): void {
  const { state } = turn;
  const { deviceId } = connect.identity;
  const instanceId = instanceHex(connect.instanceId);
  const knownCoordinatorInstanceId = instanceHex(connect.knownCoordinatorInstanceId);
  const lastInstanceId = state.devices.get(deviceId)?.instanceId;
  const outcome = judgeHistory({
    instanceId,
    knownCoordinatorInstanceId,
    ownInstanceId: state.instanceId,
    stored: state.cursors.get(deviceId)?.has(instanceId) ?? false,
    ...(lastInstanceId === undefined ? {} : { lastInstanceId }),
  });
  if (outcome === 'same' || outcome === 'new') return;
  const payload = {
    outcome,
    detail: historyOutcomes[outcome],
    instanceId,
    ...(lastInstanceId === undefined ? {} : { lastInstanceId }),
    ...(outcome === 'moved' ? { fromCoordinatorInstanceId: knownCoordinatorInstanceId } : {}),
  };
  appendOwnEvent(turn, { deviceId, type: 'coordinator.history', key: outcome, payload });
  // Its facts went with its place in the registry, and it does not tell them twice by itself.
  if (outcome === 'returned') {
    const expiresAtMs = turn.nowMs + introductionMs;
    enqueueRequest(turn, deviceId, { type: 'grains.refresh', key: '', payload: {}, expiresAtMs });
  }
}
