import { chmod, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FlotillaError } from '../../error.ts';
import { inspectSocket } from '../../socket-file.ts';

/** `sun_path` of Linux holds 108 bytes with the final zero. */
const maxSocketPathBytes = 107;

/**
 * Makes the place for the API's socket: a folder of mode 0700, and no stale socket in it. A socket that answers belongs
 * to a running coordinator and is left alone.
 */
export async function prepareSocket(path: string): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (bytes > maxSocketPathBytes) {
    throw new FlotillaError('usage', 'socket-path-too-long', 'the path of the API socket is too long for this system', {
      seen: `${bytes} bytes: ${path}`,
      expected: `at most ${maxSocketPathBytes} bytes`,
      suggestion: 'set socket: in coordinator.yaml to a short absolute path',
    });
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  switch (await inspectSocket(path)) {
    case 'free':
      return;
    case 'other':
      throw new FlotillaError('usage', 'socket-path-taken', `${path} is a file, not a socket`, {
        suggestion: 'move it away, or set another socket: in coordinator.yaml',
      });
    case 'answered':
      throw new FlotillaError('refused', 'coordinator-running', 'a coordinator already answers on this socket', {
        seen: path,
        suggestion: 'flotilla coordinator status, or flotilla coordinator stop',
      });
    case 'stale':
      await rm(path, { force: true });
  }
}

/** Only the owner may talk to the coordinator. */
export async function closeToOthers(path: string): Promise<void> {
  await chmod(path, 0o600);
}
