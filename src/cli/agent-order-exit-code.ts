import type { AgentsUpdated } from '../client/contract/index.ts';
import { ExitCode } from './exit-code.ts';
import { isOpen, type AgentOutcome } from './wait-agent-update.ts';

const fine: ReadonlySet<string> = new Set(['sent', 'waiting', 'current']);

/**
 * 0 only where every device that matched is offered the agent or has it, and where it was waited for, has it. Not knowing
 * is worse than having failed, as with jobs.
 */
export function agentOrderExitCode(order: Pick<AgentsUpdated, 'devices'> & { outcomes?: AgentOutcome[] }): ExitCode {
  const { devices, outcomes = [] } = order;
  if (outcomes.some((outcome) => isOpen(outcome) || outcome.state === 'expired' || outcome.state === 'gone'))
    return ExitCode.someUndecided;
  const isFine = devices.every(({ state }) => fine.has(state)) && outcomes.every(({ state }) => state === 'committed');
  return isFine ? ExitCode.ok : ExitCode.someFailed;
}
