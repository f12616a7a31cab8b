import type { AgentUpdateRow } from '../../store/agent-update-row.ts';

const ended: ReadonlySet<AgentUpdateRow['state']> = new Set([
  'committed',
  'rolled-back',
  'failed',
  'rejected',
  'cancelled',
]);

export function agentUpdateEnded({ state }: Pick<AgentUpdateRow, 'state'>): boolean {
  return ended.has(state);
}

/** The device never had the offer, and takes it no more. */
export function agentOfferExpired({ state, expiresAtMs }: AgentUpdateRow, nowMs: number): boolean {
  return state === 'offered' && nowMs >= expiresAtMs;
}

/** It may not be replaced: what the device has begun is the device's to end. */
export function agentUpdateUnderWay(update: AgentUpdateRow | undefined, nowMs: number): AgentUpdateRow | undefined {
  return update === undefined || agentUpdateEnded(update) || agentOfferExpired(update, nowMs) ? undefined : update;
}
