import type { DatabaseSync } from 'node:sqlite';
import type { ProductRequest } from '../../protocol/request.ts';

export interface OpenRequest {
  request: ProductRequest;
  /** How often a program was given it. */
  attempts: number;
}

/** Every product request that this device was asked (the last `keptRequests` of the finished ones). */
export interface RequestTable {
  knows(requestId: string): boolean;
  add(request: ProductRequest): void;
  /** Before the program gets it: a crash of it, or of the agent, is then known. */
  countAttempt(requestId: string): void;
  /** Also for one that was never added. */
  markFinished(requestId: string): void;
  /** In order of arrival. */
  open(): OpenRequest[];
}

const keptRequests = 10_000;

export function createRequestTable(db: DatabaseSync): RequestTable {
  const known = db.prepare('SELECT 1 FROM agent_request WHERE request_id = ?');
  const add = db.prepare('INSERT INTO agent_request (request_id, request) VALUES (?, ?)');
  const count = db.prepare('UPDATE agent_request SET attempts = attempts + 1 WHERE request_id = ?');
  const finish = db.prepare(`
    INSERT INTO agent_request (request_id, finished) VALUES (?, 1)
    ON CONFLICT (request_id) DO UPDATE SET finished = 1, request = NULL`);
  const prune = db.prepare(
    'DELETE FROM agent_request WHERE finished = 1 AND ordinal <= (SELECT max(ordinal) FROM agent_request) - ?',
  );
  const open = db.prepare('SELECT request, attempts FROM agent_request WHERE finished = 0 ORDER BY ordinal');
  return {
    knows: (requestId) => known.get(requestId) !== undefined,
    add(request) {
      add.run(request.requestId, JSON.stringify(request));
    },
    countAttempt(requestId) {
      count.run(requestId);
    },
    markFinished(requestId) {
      finish.run(requestId);
      prune.run(keptRequests);
    },
    open: () =>
      open.all().map((row) => ({
        request: JSON.parse(String(row['request'])) as ProductRequest,
        attempts: Number(row['attempts']),
      })),
  };
}
