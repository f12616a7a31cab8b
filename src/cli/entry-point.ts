import { existsSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { join } from 'node:path';
import { FlotillaError } from '../error.ts';

/** How another entry point of this very build is started: node's arguments, and the environment. */
export interface EntryPoint {
  argv: string[];
  env: Record<string, string>;
}

/** @param root oclif's `config.root`: the checkout (sources run by type stripping), or dist/ */
export function findEntryPoint(root: string, name: string, args: readonly string[]): EntryPoint {
  const built = join(root, 'src', 'bin', `${name}.js`);
  const path = existsSync(built) ? built : join(root, 'src', 'bin', `${name}.ts`);
  const cache = getCompileCacheDir();
  const env = { ...process.env, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }) };
  return { argv: ['--disable-warning=ExperimentalWarning', path, ...args], env: env };
}

/** The same process goes on as that entry point: a supervisor's signals and pid stay true. */
export function becomeEntryPoint({ argv, env }: EntryPoint): never {
  process.execve?.(process.execPath, [process.execPath, ...argv], env);
  throw new FlotillaError('ours', 'execve-missing', 'this system cannot replace a process (execve)', {
    suggestion: `run it yourself: node ${argv.join(' ')}`,
  });
}
