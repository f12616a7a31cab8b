import type { Log } from '../../log.ts';
import type { ServiceContext } from '../service/context.ts';
import { createApp } from './app.ts';
import { closeToOthers, prepareSocket } from './socket.ts';

export interface Api {
  /** Ends every stream, answers what is under way, removes the socket. */
  close(): Promise<void>;
}

/** The API on a unix socket of mode 0600. Whoever may open it is the coordinator's own user, and is not limited. */
export async function startApi(context: ServiceContext, socketPath: string, log: Log): Promise<Api> {
  await prepareSocket(socketPath);
  const closing = new AbortController();
  const { actor, role, from, via } = context;
  const authenticated = { caller: { actor, role, from, via } };
  const app = createApp({ context, authenticate: () => authenticated, closing: closing.signal, log });

  const before = process.umask(0o177); // the socket is never open to others, not for an instant
  try {
    await app.listen({ path: socketPath });
  } finally {
    process.umask(before);
  }
  await closeToOthers(socketPath);
  return {
    async close() {
      closing.abort();
      await app.close();
    },
  };
}
