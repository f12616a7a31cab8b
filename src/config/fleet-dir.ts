import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FlotillaError } from '../error.ts';

/** The file that makes a folder a fleet. */
export const coordinatorConfigName = 'coordinator.yaml';

/**
 * The fleet's folder as an absolute path: the one asked for by a flag, else by FLOTILLA_FLEET_DIR, else the nearest
 * parent of `from` with a coordinator.yaml.
 */
export async function findFleetDir(flag?: string, from: string = process.cwd()): Promise<string> {
  const asked = flag ?? (process.env['FLOTILLA_FLEET_DIR'] || undefined);
  if (asked !== undefined) {
    const directory = resolve(from, asked);
    if (await isFleetDir(directory)) return directory;
    throw new FlotillaError('usage', 'fleet-not-found', 'this folder is no fleet', {
      seen: `no ${coordinatorConfigName} in ${directory}`,
      suggestion: `flotilla init ${asked}`,
    });
  }
  let directory = resolve(from);
  while (!(await isFleetDir(directory))) {
    const parent = dirname(directory);
    if (parent === directory) {
      throw new FlotillaError('usage', 'fleet-not-found', 'there is no fleet here', {
        seen: `no ${coordinatorConfigName} in ${resolve(from)} or above`,
        expected: 'a folder made by `flotilla init`',
        suggestion: 'change into it, or name it with --fleet-dir DIR or FLOTILLA_FLEET_DIR',
      });
    }
    directory = parent;
  }
  return directory;
}

async function isFleetDir(directory: string): Promise<boolean> {
  try {
    return (await stat(join(directory, coordinatorConfigName))).isFile();
  } catch {
    return false;
  }
}
