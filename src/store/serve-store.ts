import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { DatabaseSync } from 'node:sqlite';
import type { ErrorDocument } from '../error.ts';
import { applyWrite } from './apply-write.ts';
import { AuditChain } from './audit-table.ts';
import { openDatabase, type DatabaseOption } from './database.ts';
import { noteSpans } from './event-span-table.ts';
import { unpackWrites, type PackedWrites, type StoreWrite } from './packed-write.ts';
import { answerRead, type Read } from './read.ts';
import { eraseRemains, type ErasableTable } from './redaction-table.ts';
import { Statements } from './statement.ts';
import { asStoreError } from './store-error.ts';

/** From the core to the store thread. */
export type StoreRequest =
  | { id: number; kind: 'commit'; writes: PackedWrites }
  | { id: number; kind: 'read'; read: Read }
  | { id: number; kind: 'scrub'; tables: readonly ErasableTable[] }
  | { id: number; kind: 'audit-head' }
  | { id: number; kind: 'close' };
/** Back; `id` 0 is the answer to the opening itself. */
export type StoreReply = { id: number; value?: unknown } | { id: number; error: ErrorDocument };

interface Commit {
  id: number;
  writes: StoreWrite[];
}

interface Writer {
  database: DatabaseSync;
  statements: Statements;
  chain: AuditChain;
}

/** A sender that never rests must not keep the first of its commits waiting for ever. */
const maxGroupCommits = 1024;

/** The store thread's loop: the only writer of the database. */
export function serveStore(port: MessagePort, option: DatabaseOption): void {
  let database: DatabaseSync;
  try {
    database = openDatabase(option);
  } catch (error) {
    port.postMessage({ id: 0, error: asStoreError(error, option.path).toJSON() } satisfies StoreReply);
    port.close();
    return;
  }
  const statements = new Statements(database);
  const writer: Writer = { database, statements, chain: new AuditChain(statements) };
  const reply = (message: StoreReply): void => port.postMessage(message);
  const fail = (id: number, error: unknown): void => reply({ id, error: asStoreError(error, option.path).toJSON() });

  port.on('message', (first: StoreRequest) => {
    // Group commit: whatever arrived while the last transaction was synced goes into the next one.
    let waiting: Commit[] = [];
    for (let request: StoreRequest | undefined = first; request !== undefined; request = nextRequest(port)) {
      if (request.kind === 'commit') {
        const commit = { id: request.id, writes: unpackWrites(request.writes) };
        if (waiting.push(commit) === maxGroupCommits) break;
        continue;
      }
      commitGroup(writer, waiting, reply, fail);
      waiting = [];
      if (request.kind === 'close') {
        database.close();
        reply({ id: request.id });
        port.close();
        return;
      }
      try {
        reply({ id: request.id, value: answer(writer, request) });
      } catch (error) {
        fail(request.id, error);
      }
    }
    commitGroup(writer, waiting, reply, fail);
  });
  reply({ id: 0 });
}

function answer({ database, statements, chain }: Writer, request: Exclude<StoreRequest, { kind: 'commit' | 'close' }>) {
  switch (request.kind) {
    case 'scrub':
      return eraseRemains(database, request.tables);
    case 'audit-head':
      return chain.head;
    case 'read':
      return answerRead(statements, request.read);
  }
}

function nextRequest(port: MessagePort): StoreRequest | undefined {
  return receiveMessageOnPort(port)?.message;
}

/** One transaction for all; when it fails, one for each, so that one bad commit does not take the others along. */
function commitGroup(
  writer: Writer,
  group: Commit[],
  reply: (message: StoreReply) => void,
  fail: (id: number, error: unknown) => void,
): void {
  if (group.length === 0) return;
  try {
    transact(writer, group);
  } catch (error) {
    if (group.length === 1) return fail(group[0]!.id, error);
    for (const commit of group) commitGroup(writer, [commit], reply, fail);
    return;
  }
  for (const { id } of group) reply({ id });
}

function transact({ database, statements, chain }: Writer, group: Commit[]): void {
  const { head } = chain;
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const { writes } of group) for (const write of writes) applyWrite(statements, chain, write);
    noteSpans(statements, group);
    database.exec('COMMIT');
  } catch (error) {
    // SQLite itself has rolled back after some errors (a full disk): then there is nothing left to do.
    if (database.isTransaction) database.exec('ROLLBACK');
    chain.restore(head);
    throw error;
  }
}
