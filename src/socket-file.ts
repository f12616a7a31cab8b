import { lstat } from 'node:fs/promises';
import { connect } from 'node:net';
import { systemErrorCode } from './error.ts';

/**
 * What stands where a process wants its unix socket. free: nothing; other: something that is no socket; answered: a
 * process listens there; stale: left by one that is dead, and may be removed.
 */
export type SocketPlace = 'free' | 'other' | 'answered' | 'stale';

/** Rejects with the system's error when the socket can't be asked (`EACCES`, for one). */
export async function inspectSocket(path: string): Promise<SocketPlace> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return 'free';
  if (!found.isSocket()) return 'other';
  return (await answers(path)) ? 'answered' : 'stale';
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
