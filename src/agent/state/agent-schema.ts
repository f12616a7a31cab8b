import type { DatabaseSync } from 'node:sqlite';
import { atomically } from '../../eventlog/index.ts';

/**
 * The agent's own tables, beside the log's in the same database, so that an effect and its event are one transaction.
 * Only ever add tables and columns with defaults: after a rollback the agent of the version before opens this file.
 */
export function ensureAgentSchema(db: DatabaseSync): void {
  atomically(db, () => {
    const isNew = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'agent_reverted_bundle'").get() === undefined;
    db.exec(`
      CREATE TABLE IF NOT EXISTS agent_job (
        ordinal INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('queued', 'started', 'finished')),
        start TEXT,                -- the request, JSON; null once it has finished
        started_at_ms REAL,
        outcome TEXT
      ) STRICT;
      -- Most jobs start at once, and are never in it; an agent before wrote all of them to another one, twice.
      CREATE INDEX IF NOT EXISTS agent_job_waiting ON agent_job (ordinal) WHERE state = 'queued';
      DROP INDEX IF EXISTS agent_job_open;
      CREATE TABLE IF NOT EXISTS agent_job_note (
        job_id TEXT PRIMARY KEY,
        note TEXT NOT NULL         -- the JobNote, JSON, of a job that has started and not finished
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS agent_update (
        ordinal INTEGER PRIMARY KEY,
        rollout_id TEXT NOT NULL UNIQUE,
        ended INTEGER NOT NULL,    -- 0 while it is under way; at most one row
        record TEXT NOT NULL       -- the Update, JSON
      ) STRICT;
      CREATE UNIQUE INDEX IF NOT EXISTS agent_update_current ON agent_update (ended) WHERE ended = 0;
      CREATE TABLE IF NOT EXISTS agent_update_part (
        rollout_id TEXT NOT NULL,
        part INTEGER NOT NULL,     -- its bytes are verified and synced
        PRIMARY KEY (rollout_id, part)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS agent_document (
        name TEXT PRIMARY KEY,
        record TEXT NOT NULL       -- the DocumentRecord, JSON
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS agent_request (
        ordinal INTEGER PRIMARY KEY,
        request_id TEXT NOT NULL UNIQUE,
        finished INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,   -- how often a program was given it
        request TEXT               -- JSON; null once it has finished
      ) STRICT;
      CREATE INDEX IF NOT EXISTS agent_request_open ON agent_request (ordinal) WHERE finished = 0;
      CREATE TABLE IF NOT EXISTS agent_avro_schema (
        ordinal INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL UNIQUE,      -- 16 hex digits
        text TEXT NOT NULL
      ) STRICT;
      CREATE TABLE IF NOT EXISTS agent_identity (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        record TEXT NOT NULL       -- the IdentityRecord, JSON
      ) STRICT;
      CREATE TABLE IF NOT EXISTS agent_reverted_bundle (
        bundle_uuid TEXT PRIMARY KEY,
        version TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        reason TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS agent_value (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS agent_program_update (
        ordinal INTEGER PRIMARY KEY,
        update_id TEXT NOT NULL UNIQUE,
        ended INTEGER NOT NULL,    -- 0 while it is under way; at most one row
        record TEXT NOT NULL       -- the ProgramUpdate, JSON
      ) STRICT;
      CREATE UNIQUE INDEX IF NOT EXISTS agent_program_update_current ON agent_program_update (ended) WHERE ended = 0;
    `);
    if (isNew) db.exec(listReverted);
  });
}

/** What agents before this table went back from: once, or what was allowed since would be forbidden again. */
const listReverted = `
  INSERT OR REPLACE INTO agent_reverted_bundle
  SELECT record ->> '$.bundle.bundleUuid', record ->> '$.bundle.version',
    coalesce(record ->> '$.decidedAtMs', record ->> '$.enteredAtMs', 0),
    coalesce(record ->> '$.reason.code' || ': ' || (record ->> '$.reason.message'), 'rolled back')
  FROM agent_update WHERE record ->> '$.state' = 'rolled-back' ORDER BY ordinal`;
