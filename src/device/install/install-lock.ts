import { createServer } from 'node:net';
import { FlotillaError } from '../../error.ts';

/** In Linux's abstract namespace: it has no file, and is gone with the process that holds it. */
const name = '\0flotilla-agent-install';

/** One installation at a time: two would undo each other's steps. */
export async function lockInstallation(): Promise<AsyncDisposable> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new FlotillaError('refused', 'install-busy', 'another installation is under way on this machine', {
          suggestion: 'wait for its end',
          cause,
        }),
      ),
    );
    server.listen(name, resolve);
  });
  return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())) };
}
