import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { FlotillaError, systemErrorCode } from '../../error.ts';

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
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new FlotillaError('usage', 'socket-path-taken', `${path} is a file, not a socket`, {
      suggestion: 'move it away, or set another socket: in coordinator.yaml',
    });
  }
  if (await answers(path)) {
    throw new FlotillaError('refused', 'coordinator-running', 'a coordinator already answers on this socket', {
      seen: path,
      suggestion: 'flotilla coordinator status, or flotilla coordinator stop',
    });
  }
  await rm(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = systemErrorCode(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
}

/** Only the owner may talk to the coordinator. */
export async function closeToOthers(path: string): Promise<void> {
  await chmod(path, 0o600);
}
