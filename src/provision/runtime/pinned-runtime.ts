import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../config/package-root.ts';

/** Architectures that Node 24 is built for, by npm's names. */
export const runtimeArchs = ['x64', 'arm64'] as const;
export type RuntimeArch = (typeof runtimeArchs)[number];

/** One npm package, told apart from every other content by its checksum. */
export interface PinnedRuntime {
  package: string;
  version: string;
  /** Of the package as it is published (.tgz): `sha512-…`, in base64. */
  integrity: string;
}

/** What this release of flotilla was made with: the lockfile of a checkout, and what the build has taken from it. */
export async function readPinnedRuntimes(root: string = packageRoot()): Promise<Record<RuntimeArch, PinnedRuntime>> {
  const built = await readFile(join(root, 'runtimes.json'), 'utf8').catch(() => undefined);
  if (built !== undefined) return JSON.parse(built) as Record<RuntimeArch, PinnedRuntime>;
  return pinnedInLockfile(await readFile(join(root, 'package-lock.json'), 'utf8'));
}

export function pinnedInLockfile(text: string): Record<RuntimeArch, PinnedRuntime> {
  const { packages } = JSON.parse(text) as { packages: Record<string, { version?: string; integrity?: string }> };
  const pinned = runtimeArchs.map((arch): [RuntimeArch, PinnedRuntime] => {
    const name = `node-linux-${arch}`;
    const { version, integrity } = packages[`node_modules/${name}`] ?? {};
    if (version === undefined || !integrity?.startsWith('sha512-')) throw new Error(`the lockfile pins no ${name}`);
    return [arch, { package: name, version, integrity }];
  });
  return Object.fromEntries(pinned) as Record<RuntimeArch, PinnedRuntime>;
}
