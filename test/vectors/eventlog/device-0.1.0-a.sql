-- The tables of the device's log as the agent before retention and gaps made them.
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
