import type { AgentUpdate } from '../../client/contract/agent-update.ts';
import type { AgentUpdateRow } from '../../store/agent-update-row.ts';
import { agentOfferExpired } from '../registry/agent-update.ts';

/** For whoever looks at the device. */
export function viewAgentUpdate(update: AgentUpdateRow, nowMs: number): AgentUpdate {
  const { sha256: _, ...shown } = update;
  return agentOfferExpired(update, nowMs) ? { ...shown, state: 'expired' } : shown;
}
