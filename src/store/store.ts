import type { AuditHead, RawEntry } from '../audit/index.ts';
import type { FlotillaError } from '../error.ts';
import type { AuditScan, AuditSlice } from './audit-table.ts';
import type { DatabaseOption } from './database.ts';
import type { DeadLetterDepth, DeadLetterQuery } from './dead-letter-table.ts';
import type { DocumentTable } from './document-table.ts';
import type { EventScan, EventSlice } from './event-scan.ts';
import type { EventPage } from './event-table.ts';
import type { DeviceJobRow, JobQuery } from './job-table.ts';
import { buffersOf, packWrites } from './packed-write.ts';
import type { Read } from './read.ts';
import type { ErasableTable } from './redaction-table.ts';
import type { DeadLetterRow, DocumentRow, EventRow, MemberRow } from './row.ts';
import type { Snapshot } from './snapshot.ts';
import type { UpdateRecordQuery } from './update-record-table.ts';
import type { RolloutOutcomeRow, RolloutStepPage, SurplusSteps } from './rollout-step-table.ts';
import { ThreadCall } from './thread-call.ts';
import type { Write } from './write.ts';

/** The core's view of its storage. Reads see every commit that was made before them. */
export interface Store {
  readonly path: string;
  /** Durable when it resolves; on rejection (FlotillaError, `disk-full` among them) nothing of it is stored. */
  commit(writes: Write[]): Promise<void>;
  load(): Promise<Snapshot>;
  events(page: EventPage): Promise<EventRow[]>;
  /** A bounded stretch of the log: never long, however rare the rows that match. */
  scan(scan: EventScan): Promise<EventSlice>;
  documents(table: DocumentTable, limit: number): Promise<DocumentRow[]>;
  document(table: DocumentTable, id: string): Promise<DocumentRow | undefined>;
  members(table: DocumentTable, id: string, output: boolean): Promise<MemberRow[]>;
  /** A rollout with all its devices, of one moment. */
  rolloutOutcome(id: string): Promise<RolloutOutcomeRow | undefined>;
  updateRecords(query: UpdateRecordQuery): Promise<unknown[]>;
  rolloutSteps(page: RolloutStepPage): Promise<{ row: number; step: unknown }[]>;
  /** Those beyond what is kept. */
  surplusRolloutSteps(surplus: SurplusSteps): Promise<number[]>;
  jobs(query: JobQuery): Promise<DocumentRow[]>;
  /** With their output, from this position on. */
  jobDevices(id: string, from: number, limit: number): Promise<MemberRow[]>;
  /** What a device was part of, the newest first. */
  deviceJobs(deviceId: string, limit: number): Promise<DeviceJobRow[]>;
  /** The serial number of the newest certificate for this public key. */
  certificateOfKey(keySha256: string): Promise<string | undefined>;
  /** In order of id. */
  deadLetters(query: DeadLetterQuery): Promise<DeadLetterRow[]>;
  /** Those of state new, by layer and type. */
  deadLetterDepth(): Promise<DeadLetterDepth[]>;
  /** Those beyond what is kept, without payload; never the newest, whose id must not be given out again. */
  surplusLetters(keepRows: number, beforeMs: number): Promise<DeadLetterRow[]>;
  meta(): Promise<Record<string, string>>;
  /** The chain's end as the writer has it: also when another hand has changed the table since. */
  auditHead(): Promise<AuditHead>;
  scanAudit(scan: AuditScan): Promise<AuditSlice>;
  /** Rows of the chain as they lie there, from this number on. */
  rawAudit(from: number, limit: number): Promise<RawEntry[]>;
  /**
   * Does away with what is left on the disk of what was redacted, in these tables and in the write-ahead log; false
   * when a reader of another process holds the log.
   */
  scrub(tables: readonly ErasableTable[]): Promise<boolean>;
  close(): Promise<void>;
}

export interface StoreOption extends DatabaseOption {
  /** The script of the store's threads: src/bin/store-thread.ts, or its bundle. */
  entry: URL;
  /** A thread died by itself; every pending call was rejected, later ones are too. */
  onLost?(error: FlotillaError): void;
}

/**
 * Opens the database in two threads: the only writer, and one that reads on a connection of its own. In WAL mode a
 * reader holds up no writer, so a long export takes nothing from the ingest.
 */
export async function openStore({ entry, onLost, ...database }: StoreOption): Promise<Store> {
  const lost = (error: FlotillaError): void => onLost?.(error);
  const writer = new ThreadCall(entry, { role: 'write', ...database }, lost);
  await writer.ready;
  const reader = new ThreadCall(entry, { role: 'read', ...database }, lost);
  await reader.ready.catch(async (error) => {
    await writer.close();
    throw error;
  });
  /** The newest commit's end; the writer answers in order, so all before it have ended too. */
  let committed: Promise<unknown> = Promise.resolve();
  const read = async <T>(what: Read): Promise<T> => {
    await committed;
    return reader.call<T>({ kind: 'read', read: what });
  };

  return {
    path: database.path,
    commit(writes) {
      const packed = packWrites(writes);
      const done = writer.call<void>({ kind: 'commit', writes: packed }, buffersOf(packed));
      committed = done.catch(() => undefined);
      return done;
    },
    load: () => read({ kind: 'snapshot' }),
    events: (page) => read({ kind: 'events', page }),
    scan: (scan) => read({ kind: 'scan', scan }),
    documents: (table, limit) => read({ kind: 'documents', table, limit }),
    document: (table, id) => read({ kind: 'document', table, id }),
    members: (table, id, output) => read({ kind: 'members', table, id, output }),
    rolloutOutcome: (id) => read({ kind: 'rollout-outcome', id }),
    updateRecords: (query) => read({ kind: 'update-records', query }),
    rolloutSteps: (page) => read({ kind: 'rollout-steps', page }),
    surplusRolloutSteps: (surplus) => read({ kind: 'surplus-rollout-steps', surplus }),
    jobs: (query) => read({ kind: 'jobs', query }),
    jobDevices: (id, from, limit) => read({ kind: 'job-devices', id, from, limit }),
    deviceJobs: (deviceId, limit) => read({ kind: 'device-jobs', deviceId, limit }),
    certificateOfKey: (keySha256) => read({ kind: 'certificate-by-key', keySha256 }),
    deadLetters: (query) => read({ kind: 'dead-letters', query }),
    deadLetterDepth: () => read({ kind: 'dead-letter-depth' }),
    surplusLetters: (keepRows, beforeMs) => read({ kind: 'surplus-letters', keepRows, beforeMs }),
    meta: () => read({ kind: 'meta' }),
    auditHead: () => writer.call({ kind: 'audit-head' }),
    scanAudit: (scan) => read({ kind: 'audit', scan }),
    rawAudit: (from, limit) => read({ kind: 'raw-audit', from, limit }),
    scrub: (tables) => writer.call({ kind: 'scrub', tables }),
    async close() {
      await reader.close(); // first: the last connection to close moves the write-ahead log into the file
      await writer.close();
    },
  };
}
