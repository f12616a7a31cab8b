import type { MessagePort } from 'node:worker_threads';
import { DatabaseSync } from 'node:sqlite';
import type { DatabaseOption } from './database.ts';
import { answerRead } from './read.ts';
import type { StoreReply, StoreRequest } from './serve-store.ts';
import { Statements } from './statement.ts';
import { asStoreError } from './store-error.ts';

/** The reading thread's loop: a read-only connection to the database that the store thread has opened. */
export function serveReads(port: MessagePort, { path }: DatabaseOption): void {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  } catch (error) {
    port.postMessage({ id: 0, error: asStoreError(error, path).toJSON() } satisfies StoreReply);
    port.close();
    return;
  }
  const statements = new Statements(database);
  port.on('message', (request: StoreRequest) => {
    try {
      const value = request.kind === 'read' ? answerRead(statements, request.read) : undefined;
      if (request.kind === 'close') database.close();
      port.postMessage({ id: request.id, value } satisfies StoreReply);
    } catch (error) {
      port.postMessage({ id: request.id, error: asStoreError(error, path).toJSON() } satisfies StoreReply);
    }
    if (request.kind === 'close') port.close();
  });
  port.postMessage({ id: 0 } satisfies StoreReply);
}
