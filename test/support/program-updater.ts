import type { ProgramUpdaterOption } from '../../src/agent/program/program-option.ts';
import { ProgramUpdater } from '../../src/agent/program/program-updater.ts';
import type { AgentParts } from './agent-parts.ts';

/** An updater of the agent's own program in this process; without `launch` it refuses all offers. */
export function programUpdater(
  parts: AgentParts,
  option: Pick<ProgramUpdaterOption, 'machine'> & Partial<ProgramUpdaterOption>,
): ProgramUpdater {
  const { database, log, link, clock, logger, dir } = parts;
  return new ProgramUpdater({
    database,
    log,
    link,
    clock,
    logger,
    directory: dir,
    agentVersion: '1.0.0',
    publicKeys: [],
    proveSeconds: 10,
    soakSeconds: 0,
    busy: () => undefined,
    ...option,
  });
}
