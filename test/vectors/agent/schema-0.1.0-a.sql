-- The tables of an agent before it could update itself, word for word: what it does at each start.
      CREATE TABLE IF NOT EXISTS agent_job (
        ordinal INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('queued', 'started', 'finished')),
        start TEXT,                -- the request, JSON; null once it has finished
        started_at_ms REAL,
        outcome TEXT
      ) STRICT;
      CREATE INDEX IF NOT EXISTS agent_job_open ON agent_job (state, ordinal) WHERE state <> 'finished';
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
    
