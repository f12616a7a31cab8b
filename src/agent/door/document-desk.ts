import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import {
  DoorError,
  maxDocuments,
  maxFactBytes,
  type DeviceDocument,
  type DocumentList,
  type Id,
} from '../../door/index.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { ConfigEvent } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import type { ConfigDesired } from '../../protocol/request.ts';
import { createDocumentTable, type DocumentRecord, type DocumentTable } from '../state/document-table.ts';
import type { DoorConnection } from './door-connection.ts';

export interface DocumentDeskOption {
  database: DatabaseSync;
  log: Pick<DeviceLog, 'append' | 'transact'>;
  clock: Clock;
  /** An event is in the log. */
  onAppend(): void;
}

const maxReason = 512;

/**
 * Configuration documents: what the operator wants is kept until the product has decided on it, and what the product
 * has is told to the coordinator at each change. A document and the event that tells of it are one transaction.
 */
export class DocumentDesk {
  readonly #option: DocumentDeskOption;
  readonly #table: DocumentTable;
  readonly #watching = new Map<DoorConnection, { id: Id; names: ReadonlySet<string> | undefined }>();

  constructor(option: DocumentDeskOption) {
    this.#option = option;
    this.#table = createDocumentTable(option.database);
  }

  /** The operator wants this. A version that was decided on before, or is older than what waits, is not looked at. */
  desire({ name, version, baseRevision, document }: ConfigDesired, settle: () => void): void {
    this.#within(() => {
      settle();
      const known = this.#table.get(name);
      const record = known ?? emptyRecord(name);
      if (version <= Math.max(record.decidedVersion, record.pending?.version ?? 0)) return;
      if (known === undefined && this.#table.all().length >= maxDocuments) {
        this.#tell(
          { ...record, state: 'rejected', reason: `this device has ${maxDocuments} documents already` },
          version,
        );
        return;
      }
      this.#table.put({ ...record, pending: { version, baseRevision, document } });
    });
    for (const [connection, { id, names }] of this.#watching) {
      if (names === undefined || names.has(name)) this.#offer(connection, id, name);
    }
  }

  /** It never came as far as this desk: to the operator that is a rejection. */
  abandon({ name, version }: ConfigDesired, reason: string): void {
    this.#within(() => {
      const record = this.#table.get(name) ?? emptyRecord(name);
      if (version <= Math.max(record.decidedVersion, record.pending?.version ?? 0)) return;
      this.#tell({ ...record, state: 'rejected', reason: reason.slice(0, maxReason) }, version);
    });
  }

  /** What waits for a decision follows as rows, and what comes later. */
  watch(connection: DoorConnection, id: Id, names: readonly string[] | undefined): void {
    this.#watching.set(connection, { id, names: names && new Set(names) });
    for (const { name, pending } of this.#table.all()) {
      if (pending !== undefined && names?.includes(name) !== false) this.#offer(connection, id, name);
    }
  }

  forget(connection: DoorConnection): void {
    this.#watching.delete(connection);
  }

  list(): DocumentList {
    return {
      documents: this.#table.all().map(({ name, revision, desiredVersion, state, pending }) => ({
        name,
        revision,
        desiredVersion,
        ...(state === undefined ? {} : { state }),
        ...(pending === undefined ? {} : { pendingVersion: pending.version }),
      })),
    };
  }

  get(name: string): DeviceDocument {
    return viewDocument(this.#known(name));
  }

  applied(name: string, version: number, given: { document?: unknown }): { revision: number } {
    return this.#decide(name, version, 'applied', (record, pending) => ({
      ...record,
      revision: record.revision + 1,
      document: 'document' in given ? given.document : pending.document,
      desiredVersion: version,
      state: 'applied',
    }));
  }

  rejected(name: string, version: number, reason: string): { revision: number } {
    return this.#decide(name, version, 'rejected', (record) => ({
      ...record,
      state: 'rejected',
      reason: reason.slice(0, maxReason),
    }));
  }

  /** A document that is the same as before is no change. */
  change(name: string, document: unknown): { revision: number } {
    return this.#within(() => {
      const known = this.#table.get(name);
      if (known === undefined && this.#table.all().length >= maxDocuments) {
        throw new DoorError('refused', 'config-too-many', `this device has ${maxDocuments} documents already`);
      }
      const before = known ?? emptyRecord(name);
      if (before.revision > 0 && JSON.stringify(before.document) === JSON.stringify(document)) {
        return { revision: before.revision };
      }
      const { reason: _, ...rest } = before;
      const record: DocumentRecord = { ...rest, revision: before.revision + 1, document, state: 'local' };
      this.#table.put(record);
      this.#tell(record, record.desiredVersion);
      return { revision: record.revision };
    });
  }

  #decide(
    name: string,
    version: number,
    state: 'applied' | 'rejected',
    next: (record: DocumentRecord, pending: NonNullable<DocumentRecord['pending']>) => DocumentRecord,
  ): { revision: number } {
    return this.#within(() => {
      const before = this.#known(name);
      // Said again, because the first answer did not arrive.
      if (before.decidedVersion === version && before.state === state) return { revision: before.revision };
      if (before.pending?.version !== version) {
        throw new DoorError(
          'refused',
          'config-superseded',
          `version ${version} of ${name} does not wait for a decision`,
          {
            expected: before.pending === undefined ? 'no version waits' : `version ${before.pending.version}`,
            suggestion: 'look again: config.get',
          },
        );
      }
      const { pending, reason: _, ...rest } = before;
      const record: DocumentRecord = { ...next(rest, pending), decidedVersion: version };
      this.#table.put(record);
      this.#tell(record, version);
      return { revision: record.revision };
    });
  }

  #tell({ name, revision, document, state = 'local', reason }: DocumentRecord, desiredVersion: number): void {
    const { log, clock, onAppend } = this.#option;
    const value: ConfigEvent = {
      name,
      revision,
      desiredVersion,
      document,
      state,
      ...(reason === undefined ? {} : { reason }),
    };
    const row = jsonRow({ type: 'flotilla.config', key: name, timestampMs: clock.nowMs(), value });
    if (row.payload.length > maxFactBytes) {
      throw new DoorError('usage', 'config-too-large', `the document ${name} is too large`, {
        seen: `${row.payload.length} bytes`,
        expected: `at most ${maxFactBytes}`,
      });
    }
    log.append(Lane.state, row);
    onAppend();
  }

  /** Read when there is room to write it: then it may have been decided on, or be another version. */
  #offer(connection: DoorConnection, id: Id, name: string): void {
    connection.offer(id, () => {
      const record = this.#table.get(name);
      return record?.pending === undefined ? undefined : viewDocument(record);
    });
  }

  #known(name: string): DocumentRecord {
    const record = this.#table.get(name);
    if (record !== undefined) return record;
    throw new DoorError('usage', 'config-unknown', `this device has no document ${name.slice(0, 128)}`, {
      suggestion: 'config.list names them',
    });
  }

  #within<Result>(work: () => Result): Result {
    return this.#option.log.transact(work);
  }
}

function emptyRecord(name: string): DocumentRecord {
  return { name, revision: 0, document: null, desiredVersion: 0, decidedVersion: 0 };
}

function viewDocument({ decidedVersion: _, pending, ...record }: DocumentRecord): DeviceDocument {
  return { ...record, ...(pending === undefined ? {} : { desired: pending }) };
}
