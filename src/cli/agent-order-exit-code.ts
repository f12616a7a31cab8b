import type { AgentsUpdated } from '../client/contract/index.ts';
import { ExitCode } from './exit-code.ts';

const fine: ReadonlySet<string> = new Set(['sent', 'waiting', 'current']);

/** 0 only where every device that matched is offered the agent, or has it. */
export function agentOrderExitCode({ devices }: Pick<AgentsUpdated, 'devices'>): ExitCode {
  return devices.every(({ state }) => fine.has(state)) ? ExitCode.ok : ExitCode.someFailed;
}
