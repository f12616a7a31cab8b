import { join } from 'node:path';
import type { RemoteEndpoint } from '../client/remote-endpoint.ts';
import { contextFilePath, readContextFile, type Context, type ContextFile } from '../config/context-file.ts';
import { loadCoordinatorConfig } from '../config/coordinator-config.ts';
import { coordinatorConfigName, findFleetDir } from '../config/fleet-dir.ts';
import { FlotillaError } from '../error.ts';
import { openContext } from './open-context.ts';

/** The flags of every command that say whom it is for. */
export interface TargetFlags {
  'fleet-dir'?: string | undefined;
  context?: string | undefined;
}

/** What a command speaks to: a unix socket here, or a coordinator elsewhere. */
export type Target =
  | { kind: 'socket'; path: string }
  | { kind: 'fleet'; directory: string }
  | { kind: 'context'; name: string; context: Context };

/**
 * In this order: a flag (--context or --fleet-dir), the environment (FLOTILLA_CONTEXT, FLOTILLA_SOCKET,
 * FLOTILLA_FLEET_DIR), the fleet that this folder is in, the current context.
 */
export async function findTarget({ context: flag, 'fleet-dir': directory }: TargetFlags): Promise<Target> {
  if (flag !== undefined && directory !== undefined) {
    throw new FlotillaError('usage', 'target-ambiguous', '--context and --fleet-dir name two coordinators', {
      suggestion: 'give one of them',
    });
  }
  if (flag !== undefined) return contextTarget(flag, await readContextFile(contextFilePath()));
  if (directory !== undefined) return { kind: 'fleet', directory: await findFleetDir(directory) };

  const { FLOTILLA_CONTEXT: named, FLOTILLA_SOCKET: path, FLOTILLA_FLEET_DIR: folder } = process.env;
  if (named) return contextTarget(named, await readContextFile(contextFilePath()));
  if (path) return { kind: 'socket', path };
  try {
    return { kind: 'fleet', directory: await findFleetDir() };
  } catch (error) {
    if (folder || !(error instanceof FlotillaError) || error.code !== 'fleet-not-found') throw error;
    const file = await readContextFile(contextFilePath());
    if (file.current === undefined) throw error;
    return contextTarget(file.current, file);
  }
}

/** The way to it: the path of a unix socket, or an address with all that TLS needs. */
export async function findEndpoint(flags: TargetFlags): Promise<string | RemoteEndpoint> {
  const target = await findTarget(flags);
  switch (target.kind) {
    case 'socket':
      return target.path;
    case 'fleet':
      return (await loadCoordinatorConfig(join(target.directory, coordinatorConfigName))).socket;
    case 'context':
      return openContext(target.context);
  }
}

function contextTarget(name: string, { contexts }: ContextFile): Target {
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context !== undefined) return { kind: 'context', name, context };
  throw unknownContext(name, contexts);
}

export function unknownContext(name: string, contexts: ContextFile['contexts']): FlotillaError {
  return new FlotillaError('usage', 'context-unknown', 'there is no such context', {
    seen: name,
    expected: Object.keys(contexts).toSorted().join(', ') || 'none is made yet',
    suggestion: 'flotilla context list, or flotilla context add',
  });
}
