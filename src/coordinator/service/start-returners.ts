import type { ReturnersConfig } from '../../config/returner.ts';
import type { Log } from '../../log.ts';
import { createReturner } from '../returner/create-returner.ts';
import type { ServiceContext } from './context.ts';
import { returnResults } from './return-results.ts';

export function returnerNames(config: ReturnersConfig = {}): ServiceContext['returners'] {
  const always = Object.entries(config).flatMap(([name, returner]) => (returner.always ? [name] : []));
  return { always, known: new Set(Object.keys(config)) };
}

/** Resolves with what ends them all. @param directory where commands run */
export async function startReturners(
  context: ServiceContext,
  config: ReturnersConfig = {},
  directory: string,
  log: Log,
): Promise<() => Promise<void>> {
  const ends: (() => Promise<void>)[] = [];
  for (const [name, option] of Object.entries(config)) {
    const returner = await createReturner(option, directory, context.clock);
    ends.push(returnResults(context, { name, returner, timeoutMs: option.timeoutMs, log }));
  }
  return async () => void (await Promise.all(ends.map((end) => end())));
}
