/**
 * The coordinator's SQLite database. One worker thread owns it and is its only writer: WAL, synchronous=FULL, group
 * commit; another one reads, on a read-only connection. SQL of the coordinator stands here and nowhere else, one file for each aggregate; the core hands in `Write`s
 * (data) and gets rows back.
 */
export { openAuditFile, type AuditFile } from './audit-file.ts';
export type { AuditEntry, AuditRow } from './audit-row.ts';
export type { AuditFilter, AuditScan, AuditSlice } from './audit-table.ts';
export { acquireLock, type DirectoryLock } from './directory-lock.ts';
export type { DeadLetterDepth, DeadLetterQuery } from './dead-letter-table.ts';
export type { EventFilter, EventScan, EventSlice } from './event-scan.ts';
export type { EventPage } from './event-table.ts';
export type { ErasableTable } from './redaction-table.ts';
export type { RolloutOutcomeRow, RolloutStepPage } from './rollout-step-table.ts';
export * from './row.ts';
export type { DocumentWithMembers, Snapshot } from './snapshot.ts';
export { openStore, type Store, type StoreOption } from './store.ts';
export type { Write } from './write.ts';
