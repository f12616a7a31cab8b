import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { SchemaEvent } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import type { SchemaTell } from '../../protocol/request.ts';
import { readSchema, type SchemaCatalogue } from '../../protocol/schema-catalogue.ts';
import { createAvroSchemaTable, type AvroSchemaTable } from '../state/avro-schema-table.ts';
import { readProductSchemas, type ProductSchemas } from './product-schema.ts';

export interface SchemaShelfOption {
  database: DatabaseSync;
  log: Pick<DeviceLog, 'append' | 'transact'>;
  clock: Clock;
  /** Of the `*.avsc` files. */
  directory: string;
}

/** The product's schemas: those of the files encode, and every one that was ever used can still be told. */
export class SchemaShelf {
  readonly current: ProductSchemas;
  readonly #option: SchemaShelfOption;
  readonly #table: AvroSchemaTable;

  constructor(option: SchemaShelfOption) {
    this.#option = option;
    this.current = readProductSchemas(option.directory);
    this.#table = createAvroSchemaTable(option.database);
    option.log.transact(() => {
      for (const schema of this.current.byType.values()) this.#table.keep(schema);
    });
  }

  /** For the link: rows of these travel in columns, also those that were written before an update. */
  catalogue(): SchemaCatalogue {
    return new Map(this.#table.all().map(({ fingerprint, text }) => [fingerprint, readSchema(text)]));
  }

  /** Answers with `flotilla.schema`; without a text when it is not known here. */
  tell({ fingerprint }: SchemaTell, settle: () => void): void {
    const { log, clock } = this.#option;
    const text = this.#table.text(BigInt(`0x${fingerprint}`));
    const value: SchemaEvent = { fingerprint, ...(text === undefined ? {} : { text }) };
    log.transact(() => {
      settle();
      log.append(
        Lane.control,
        jsonRow({ type: 'flotilla.schema', key: fingerprint, timestampMs: clock.nowMs(), value }),
      );
    });
  }
}
