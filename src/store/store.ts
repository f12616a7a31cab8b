import { Worker } from 'node:worker_threads';
import { FlotillaError } from '../error.ts';
import type { DatabaseOption } from './database.ts';
import type { DocumentTable } from './document-table.ts';
import type { EventPage } from './event-table.ts';
import type { Read } from './read.ts';
import type { DocumentRow, EventRow, MemberRow } from './row.ts';
import type { StoreReply, StoreRequest } from './serve-store.ts';
import type { Snapshot } from './snapshot.ts';
import type { Write } from './write.ts';

/** The core's view of its storage. Reads see every commit that was made before them. */
export interface Store {
  readonly path: string;
  /** Durable when it resolves; on rejection (FlotillaError, `disk-full` among them) nothing of it is stored. */
  commit(writes: Write[]): Promise<void>;
  load(): Promise<Snapshot>;
  events(page: EventPage): Promise<EventRow[]>;
  documents(table: DocumentTable, limit: number): Promise<DocumentRow[]>;
  document(table: DocumentTable, id: string): Promise<DocumentRow | undefined>;
  members(table: DocumentTable, id: string, output: boolean): Promise<MemberRow[]>;
  close(): Promise<void>;
}

export interface StoreOption extends DatabaseOption {
  /** The script of the store thread: src/bin/store-thread.ts, or its bundle. */
  entry: URL;
  /** The thread died by itself; every pending call was rejected, later ones are too. */
  onLost?(error: FlotillaError): void;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Starts the store thread and opens the database in it. */
export async function openStore({ entry, onLost, ...database }: StoreOption): Promise<Store> {
  const worker = new Worker(entry, { workerData: database, execArgv: ['--disable-warning=ExperimentalWarning'] });
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let closed: FlotillaError | undefined;

  const end = (cause: unknown): void => {
    if (closed !== undefined) return;
    closed = new FlotillaError('ours', 'store-lost', 'the store thread ended', { cause });
    for (const { reject } of pending.values()) reject(closed);
    pending.clear();
    onLost?.(closed);
  };
  worker.on('error', end);
  worker.on('exit', () => end(undefined));
  worker.on('message', (reply: StoreReply) => {
    const call = pending.get(reply.id);
    pending.delete(reply.id);
    if ('error' in reply) call?.reject(FlotillaError.fromJSON(reply.error));
    else call?.resolve(reply.value);
  });

  await new Promise((resolve, reject) => pending.set(0, { resolve, reject })).catch(async (error) => {
    closed = error;
    await worker.terminate();
    throw error;
  });

  type Body = StoreRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;
  const call = <T>(body: Body): Promise<T> => {
    if (closed !== undefined) return Promise.reject(closed);
    lastId += 1;
    const id = lastId;
    return new Promise<T>((resolve, reject) => {
      pending.set(id, { resolve: resolve, reject });
      worker.postMessage({ id, ...body });
    });
  };
  const read = <T>(what: Read): Promise<T> => call<T>({ kind: 'read', read: what });

  return {
    path: database.path,
    commit: (writes) => call({ kind: 'commit', writes }),
    load: () => read({ kind: 'snapshot' }),
    events: (page) => read({ kind: 'events', page }),
    documents: (table, limit) => read({ kind: 'documents', table, limit }),
    document: (table, id) => read({ kind: 'document', table, id }),
    members: (table, id, output) => read({ kind: 'members', table, id, output }),
    async close() {
      if (closed !== undefined) return;
      const done = call({ kind: 'close' });
      await done;
      closed = new FlotillaError('ours', 'store-closed', 'the store is closed');
      await worker.terminate();
    },
  };
}
