import { mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { inspectSocket } from '../../socket-file.ts';

/** Owner and group; nobody else ever gets to talk to the agent. */
const socketMode = 0o660;

/**
 * Listens on a unix socket of mode 0660. One that a dead agent has left is replaced; one that answers is an error, and
 * so is anything that is no socket.
 */
export async function listenAt(path: string, onSocket: (socket: Socket) => void): Promise<Server> {
  await makeWay(path);
  const server = createServer({ allowHalfOpen: true }, onSocket);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(unusable(path, error)));
    server.once('listening', resolve);
    // It is made within the call: by the mask of the process it never has another mode, not for a moment.
    const mask = process.umask(0o777 & ~socketMode);
    try {
      server.listen(path);
    } finally {
      process.umask(mask);
    }
  });
  return server;
}

async function makeWay(path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    switch (await inspectSocket(path)) {
      case 'free':
        return;
      case 'other':
        throw new FlotillaError('usage', 'door-path-taken', `${path} is a file, not a socket`, {
          suggestion: 'move it away, or set another events.socket: in agent.yaml',
        });
      case 'answered':
        throw new FlotillaError('refused', 'door-in-use', 'another agent has its door at this socket', {
          seen: path,
          suggestion: 'stop it, or give this agent its own events.socket:',
        });
      case 'stale':
        await rm(path, { force: true });
    }
  } catch (error) {
    throw error instanceof FlotillaError ? error : unusable(path, error);
  }
}

function unusable(path: string, cause: unknown): FlotillaError {
  return new FlotillaError('usage', 'door-unusable', "the door's socket can't be made", {
    seen: `${systemErrorCode(cause) ?? String(cause)} on ${path}`,
    suggestion: 'set events.socket: to a path in a folder that the agent may write to',
    cause,
  });
}
