import { access, realpath } from 'node:fs/promises';
import { execa } from 'execa';
import { FlotillaError } from '../../error.ts';
import { deviceLayout, onDisk } from '../layout.ts';

export const minNodeMajor = 24;

export interface Runtime {
  /** As the device sees it. */
  node: string;
  /** To be copied there from here; absent when it is there already. */
  copyOf?: string;
}

/**
 * The Node that the service runs under: the one that was named, which is copied; or the one that is installed; or the one
 * that runs this, where it is part of the system, and a copy of it where it is not (an upload in /tmp).
 */
export async function chooseRuntime(prefix: string, named: string | undefined): Promise<Runtime> {
  const own = onDisk(prefix, deviceLayout.runtime);
  if (named !== undefined) {
    if (prefix === '/') await requireNode(named);
    return { node: deviceLayout.runtime, copyOf: named };
  }
  if (await isThere(own)) return { node: deviceLayout.runtime };
  if (prefix !== '/') {
    if (await isThere(onDisk(prefix, '/usr/bin/node'))) return { node: '/usr/bin/node' };
    throw new FlotillaError('usage', 'install-runtime-missing', 'this image has no Node for the agent', {
      seen: `neither ${own} nor ${onDisk(prefix, '/usr/bin/node')}`,
      suggestion: "--runtime FILE: the node of the image's own architecture",
    });
  }
  const running = await realpath(process.execPath);
  if (/^\/(usr|opt|nix)\//.test(running)) return { node: running };
  return { node: deviceLayout.runtime, copyOf: running };
}

async function requireNode(file: string): Promise<void> {
  const { exitCode, stdout, originalMessage, stderr } = await execa(file, ['--version'], {
    reject: false,
    stdin: 'ignore',
    timeout: 30_000,
  });
  if (exitCode === 0 && Number(/^v(\d+)\./.exec(stdout)?.[1]) >= minNodeMajor) return;
  throw new FlotillaError('usage', 'install-runtime-unfit', `${file} is no Node that the agent runs under here`, {
    seen: (exitCode === 0 ? stdout : (originalMessage ?? stderr)).split('\n')[0]!.slice(0, 300),
    expected: `Node ${minNodeMajor} or newer, built for this machine (${process.arch}) and its C library`,
  });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
