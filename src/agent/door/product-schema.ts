import { closeSync, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import avro from 'avsc';
import { systemErrorCode } from '../../error.ts';
import { avroFingerprint } from '../../protocol/avro-fingerprint.ts';
import { maxSchemaBytes, maxTypeBytes } from '../../protocol/limit.ts';

/** An Avro schema of the product; events of its type are encoded by it. */
export interface ProductSchema {
  type: string;
  fingerprint: bigint;
  /** The file's JSON without blanks: what the coordinator is told. */
  text: string;
  avro: avro.Type;
}

export interface SchemaFault {
  file: string;
  /** The event type that is refused: the record's full name, or the file's name where that can't be read. */
  type: string;
  reason: string;
}

export interface ProductSchemas {
  byType: ReadonlyMap<string, ProductSchema>;
  faults: readonly SchemaFault[];
}

/** flotilla.* is written by the agent, coordinator.* by the coordinator. */
export function isProductType(type: string): boolean {
  return !/^(flotilla|coordinator)\./.test(type);
}

const suffix = '.avsc';
const maxFiles = 256;

/** Reads a folder's `*.avsc`. What can't be used is named and never throws: the agent starts all the same. */
export function readProductSchemas(directory: string): ProductSchemas {
  const byType = new Map<string, ProductSchema>();
  const faults: SchemaFault[] = [];
  const origin = new Map<string, string>();
  for (const file of listFiles(directory, faults)) {
    let type = file.slice(0, -suffix.length);
    try {
      const text = readBounded(join(directory, file));
      const json: unknown = JSON.parse(text);
      type = declaredName(json) ?? type;
      const schema = parseSchema(json);
      const twin = origin.get(schema.type);
      if (twin !== undefined) throw new Error(`it has the same full name as ${twin}: neither is used`);
      origin.set(schema.type, file);
      byType.set(schema.type, schema);
    } catch (error) {
      faults.push({ file, type, reason: (error instanceof Error ? error.message : String(error)).slice(0, 256) });
    }
  }
  for (const { type } of faults) byType.delete(type);
  return { byType, faults };
}

/** @throws Error saying why this is no schema of an event type */
export function parseSchema(json: unknown): ProductSchema {
  const text = JSON.stringify(json);
  const type = avro.Type.forSchema(json as avro.Schema);
  if (!avro.Type.isType(type, 'record')) throw new Error(`it is a schema of ${type.typeName}, expected a record`);
  const name = type.name ?? '';
  if (name === '') throw new Error('the record has no name');
  if (Buffer.byteLength(name) > maxTypeBytes) throw new Error(`its full name is longer than ${maxTypeBytes} bytes`);
  if (!isProductType(name))
    throw new Error(`${name} is not a name of the product: flotilla.* and coordinator.* are ours`);
  return { type: name, fingerprint: avroFingerprint(JSON.stringify(type.schema())), text, avro: type };
}

function listFiles(directory: string, faults: SchemaFault[]): string[] {
  try {
    const files = readdirSync(directory).filter((file) => file.endsWith(suffix) && !file.startsWith('.'));
    if (files.length <= maxFiles) return files.sort();
    throw new Error(`${files.length} files, at most ${maxFiles}`);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    faults.push({ file: directory, type: '', reason: error instanceof Error ? error.message : String(error) });
    return [];
  }
}

function readBounded(path: string): string {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    if (size > maxSchemaBytes) throw new Error(`${size} bytes, at most ${maxSchemaBytes}`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** The full name of a record that may be wrong in other ways. */
function declaredName(json: unknown): string | undefined {
  const { name, namespace } = (json ?? {}) as { name?: unknown; namespace?: unknown };
  if (typeof name !== 'string' || name === '') return undefined;
  return typeof namespace === 'string' && namespace !== '' && !name.includes('.') ? `${namespace}.${name}` : name;
}
