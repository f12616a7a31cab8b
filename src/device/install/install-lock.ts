import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlotillaError, systemErrorCode } from '../../error.ts';

/** In Linux's abstract namespace: it has no file, and is gone with the process that holds it. */
const name = '\0flotilla-agent-install';

/** Longer than an installation takes: the one before is waited for, and this one then finds little to do. */
const defaultWaitMs = 60_000;

/** One installation at a time: two would undo each other's steps. @throws FlotillaError `install-busy` */
export async function lockInstallation(waitMs = defaultWaitMs): Promise<AsyncDisposable> {
  const end = performance.now() + waitMs;
  for (;;) {
    const server = createServer((socket) => socket.destroy());
    try {
      await listen(server);
      return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())) };
    } catch (cause) {
      if (systemErrorCode(cause) !== 'EADDRINUSE') throw cause;
      if (performance.now() < end) {
        await sleep(200);
        continue;
      }
      throw new FlotillaError('refused', 'install-busy', 'another installation is under way on this machine', {
        seen: `for ${Math.round(waitMs / 1000)} s`,
        suggestion: 'wait for its end',
        cause,
      });
    }
  }
}

async function listen(server: Server): Promise<void> {
  server.listen(name);
  await once(server, 'listening');
}
