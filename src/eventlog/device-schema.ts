import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { atomically } from './open-device-database.ts';

/**
 * Tables are only ever added to, so that after a rollback the agent of the version before starts on this database: it
 * names the columns of `outbox_cursor` and none of the tables it does not know. 64-bit ids are 16 hex digits; a schema
 * is NULL for JSON.
 */
const tables = `
  CREATE TABLE IF NOT EXISTS log_identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    instance TEXT NOT NULL,
    renewed INTEGER NOT NULL DEFAULT 0,
    coordinator TEXT NOT NULL DEFAULT '0000000000000000'
  ) STRICT;
  CREATE TABLE IF NOT EXISTS outbox_cursor (
    lane INTEGER PRIMARY KEY,
    next_seq INTEGER NOT NULL DEFAULT 1,
    acked_seq INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE IF NOT EXISTS outbox (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    schema TEXT,
    payload BLOB NOT NULL,
    PRIMARY KEY (lane, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS outbox_dead (
    instance TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    schema TEXT,
    payload BLOB NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (instance, lane, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS inbox_cursor (
    coordinator TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (coordinator, lane)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS inbox (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT,
    coordinator TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    schema TEXT,
    payload BLOB NOT NULL,
    UNIQUE (coordinator, lane, seq)
  ) STRICT;
  INSERT OR IGNORE INTO outbox_cursor (lane) VALUES (0), (1), (2), (3);
  CREATE TABLE IF NOT EXISTS outbox_gap (
    lane INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    reason INTEGER NOT NULL, -- as in the wire's GAP
    PRIMARY KEY (lane, from_seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS log_tally (
    name TEXT PRIMARY KEY,   -- dropped_rows, dead_rows
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS inbox_attempt (
    coordinator TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    running INTEGER NOT NULL,  -- 1: its handler was called and has not come back
    crashes INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (coordinator, lane, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS inbox_dead (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    coordinator TEXT NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    schema TEXT,
    payload BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
  ) STRICT;
`;

/**
 * The highest number of each lane that may ever have left this device. A column, because it is written with `next_seq`
 * and so costs no page of its own. Of what an earlier version has written nobody knows, so all of it may have left.
 */
const sentColumn = `
  ALTER TABLE outbox_cursor ADD COLUMN sent_seq INTEGER NOT NULL DEFAULT 0;
  UPDATE outbox_cursor SET sent_seq = next_seq - 1;
`;

export function createDeviceTables(database: DatabaseSync): void {
  atomically(database, () => {
    database.exec(tables);
    const known = database.prepare("SELECT 1 FROM pragma_table_info('outbox_cursor') WHERE name = 'sent_seq'").get();
    if (known === undefined) database.exec(sentColumn);
    database.prepare('INSERT OR IGNORE INTO log_identity (one, instance) VALUES (1, ?)').run(idText(newInstanceId()));
  });
}

/** Random and never zero. */
export function newInstanceId(): bigint {
  return randomBytes(8).readBigUInt64BE() || 1n;
}

export function idText(id: bigint): string {
  return id.toString(16).padStart(16, '0');
}

export function idOf(text: string): bigint {
  return BigInt(`0x${text}`);
}
