import type { DatabaseSync } from 'node:sqlite';
import { chainAudit } from './audit-table.ts';

/**
 * The schema, one step per version: `user_version` n means that the first n steps are done. Steps are never edited. A
 * step runs inside of a transaction.
 */
export const migrations: readonly (string | ((database: DatabaseSync) => void))[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE device (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    since_ms INTEGER,
    address TEXT,
    agent_version TEXT,
    instance TEXT,
    grains TEXT NOT NULL,
    tags TEXT NOT NULL,
    running TEXT,
    serial TEXT,
    candidate TEXT,
    quarantined_bundles TEXT NOT NULL,
    received_bytes INTEGER NOT NULL,
    sent_bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE certificate (
    serial TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    not_before_ms INTEGER NOT NULL,
    not_after_ms INTEGER NOT NULL,
    issued_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    revocation_reason TEXT,
    pem TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE cursor (
    device TEXT NOT NULL,
    instance TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (device, instance, lane)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE event (
    offset INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    instance TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    schema TEXT,
    payload BLOB NOT NULL
  ) STRICT;

  CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    instance TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    schema TEXT,
    payload BLOB NOT NULL,
    reason TEXT NOT NULL
  ) STRICT;

  CREATE TABLE request (
    row INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE request_seq (
    device TEXT PRIMARY KEY,
    seq TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE job (
    id TEXT PRIMARY KEY,
    active INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX job_started ON job (started_ms);

  CREATE TABLE job_device (
    parent TEXT NOT NULL,
    position INTEGER NOT NULL,
    device TEXT NOT NULL,
    document TEXT NOT NULL,
    output TEXT,
    PRIMARY KEY (parent, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE rollout (
    id TEXT PRIMARY KEY,
    active INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX rollout_started ON rollout (started_ms);

  CREATE TABLE rollout_device (
    parent TEXT NOT NULL,
    position INTEGER NOT NULL,
    device TEXT NOT NULL,
    document TEXT NOT NULL,
    output TEXT,
    PRIMARY KEY (parent, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE release (
    id TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    published_ms INTEGER NOT NULL,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE event_span (
    span INTEGER PRIMARY KEY,
    min_ms INTEGER NOT NULL,
    max_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE redaction (
    offset INTEGER PRIMARY KEY,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE consumer (
    name TEXT PRIMARY KEY,
    offset INTEGER NOT NULL,
    given INTEGER NOT NULL,
    filter TEXT NOT NULL,
    version TEXT,
    open TEXT NOT NULL,
    tried TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  ALTER TABLE dead_letter ADD COLUMN layer TEXT NOT NULL DEFAULT 'decode';
  ALTER TABLE dead_letter ADD COLUMN code TEXT NOT NULL DEFAULT 'reject';
  ALTER TABLE dead_letter ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE dead_letter ADD COLUMN first_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE dead_letter ADD COLUMN last_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE dead_letter ADD COLUMN state TEXT NOT NULL DEFAULT 'new';
  ALTER TABLE dead_letter ADD COLUMN note TEXT;
  ALTER TABLE dead_letter ADD COLUMN offset INTEGER;
  ALTER TABLE dead_letter ADD COLUMN consumer TEXT;
  ALTER TABLE dead_letter ADD COLUMN version TEXT;
  ALTER TABLE dead_letter ADD COLUMN stderr TEXT;
  UPDATE dead_letter SET first_ms = received_ms, last_ms = received_ms;
  CREATE INDEX dead_letter_state ON dead_letter (state, layer, type);
  CREATE INDEX dead_letter_offset ON dead_letter (offset);
  CREATE INDEX dead_letter_place ON dead_letter (device, instance, lane, seq);

  CREATE TABLE request_past (
    device TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (device, lane, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE suspect (
    device TEXT NOT NULL,
    instance TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (device, instance, lane, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE device_log (
    device TEXT PRIMARY KEY,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  ALTER TABLE cursor ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;
  `,
  `
  CREATE TABLE schema (
    sha256 TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    type TEXT NOT NULL,
    version INTEGER,
    state TEXT NOT NULL,
    source TEXT NOT NULL,
    text TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    reviewed_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX schema_version ON schema (type, version) WHERE version IS NOT NULL;

  CREATE TABLE parked_schema (
    fingerprint TEXT PRIMARY KEY,
    events INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    device TEXT NOT NULL,
    asked TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE config_document (
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (device, name)
  ) STRICT, WITHOUT ROWID;

  ALTER TABLE device ADD COLUMN accepts TEXT;
  `,
  `
  ALTER TABLE device ADD COLUMN notes TEXT;
  `,
  `
  CREATE TABLE authority (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE authority_challenge (
    nonce TEXT PRIMARY KEY,
    actor TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  ALTER TABLE certificate ADD COLUMN issuer TEXT NOT NULL DEFAULT 'issuing-1';
  ALTER TABLE certificate ADD COLUMN profile TEXT;
  ALTER TABLE certificate ADD COLUMN subject TEXT;
  `,
  `
  CREATE TABLE enrollment_token (id TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE preregistration (device TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE bound_grain (device TEXT PRIMARY KEY, grains TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  chainAudit,
  `
  ALTER TABLE certificate ADD COLUMN renews TEXT;
  ALTER TABLE certificate ADD COLUMN proven_ms INTEGER;
  ALTER TABLE certificate ADD COLUMN replaced_by TEXT;
  ALTER TABLE certificate ADD COLUMN replaced_ms INTEGER;
  ALTER TABLE certificate ADD COLUMN key_sha256 TEXT;
  CREATE INDEX certificate_key ON certificate (key_sha256) WHERE key_sha256 IS NOT NULL;

  CREATE TABLE renewal (
    device TEXT PRIMARY KEY,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE operator (
    name TEXT PRIMARY KEY,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // A job was a command and nothing else.
  `
  UPDATE job SET document = json_remove(
    json_set(document, '$.action', json_object(
      'kind', 'command',
      'argv', json_extract(document, '$.argv'),
      'shell', json(CASE json_extract(document, '$.shell') WHEN 1 THEN 'true' ELSE 'false' END))),
    '$.argv', '$.shell')
  WHERE json_type(document, '$.argv') = 'array';
  `,
  `
  CREATE INDEX job_device_device ON job_device (device);
  CREATE TABLE schedule (
    name TEXT PRIMARY KEY,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE selector_group (
    name TEXT PRIMARY KEY,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE rollout_step (
    row INTEGER PRIMARY KEY,
    rollout TEXT NOT NULL,
    step TEXT NOT NULL
  ) STRICT;
  CREATE INDEX rollout_step_rollout ON rollout_step (rollout);
  `,
  `
  CREATE TABLE update_record (
    device TEXT NOT NULL,
    ended_ms INTEGER NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (device, ended_ms, id)
  ) STRICT, WITHOUT ROWID;
  `,
  // They were told in another way: nobody can go through them again.
  'DELETE FROM rollout_step',
  // Settled requests lay in the order of their devices: what a fleet settles at the same time was written page by page
  // all over the table. They stay where they were submitted; request-table.ts says how those of a device are found.
  `
  ALTER TABLE request ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE request ADD COLUMN before INTEGER;
  ALTER TABLE request_seq ADD COLUMN last INTEGER;
  CREATE INDEX request_open ON request (row) WHERE settled = 0;

  INSERT INTO request (row, device, lane, seq, type, key, payload, created_ms, expires_ms, settled)
    SELECT row_number() OVER (ORDER BY device, seq, lane) - 1 - (SELECT count(*) FROM request_past),
      device, lane, seq, type, key, payload, created_ms, expires_ms, 1 FROM request_past;
  UPDATE request SET before = row - 1
    WHERE settled = 1 AND device = (SELECT device FROM request AS older WHERE older.row = request.row - 1);
  UPDATE request_seq SET last = newest.row
    FROM (SELECT device, max(row) AS row FROM request WHERE settled = 1 GROUP BY device) AS newest
    WHERE newest.device = request_seq.device;
  DROP TABLE request_past;
  `,
  // By device alone, a job on the whole fleet wrote to every page of the index, and the index grows with the history.
  `
  DROP INDEX job_device_device;
  CREATE INDEX job_device_parent ON job_device (parent, device);
  `,
];
