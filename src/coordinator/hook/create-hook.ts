import type { ConnectHookConfig } from '../../config/index.ts';
import { createCommandHook } from './command-hook.ts';
import type { Hook } from './connect-hook.ts';
import { createHttpHook } from './http-hook.ts';

/** @param directory where a command runs */
export function createHook(config: ConnectHookConfig, directory: string): Hook<{ fleetId: string }> {
  const { command, url, caFile, maxConcurrent } = config;
  if (command !== undefined) return createCommandHook({ argv: command, directory });
  return createHttpHook({ url: url!, maxConcurrent, ...(caFile === undefined ? {} : { caFile }) });
}
