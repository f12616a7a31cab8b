import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { maxSchemaBytes, maxTypeBytes } from '../../protocol/limit.ts';
import { plainType } from './compile-schema.ts';
import { avroFingerprint } from '../../protocol/avro-fingerprint.ts';

/** The schema of an event type: an Avro record. */
export interface EventSchema {
  /** The full name of the record. */
  type: string;
  /** CRC-64-AVRO of the Parsing Canonical Form, 16 hex digits: says which bytes a payload has. */
  fingerprint: string;
  /** Over the whole JSON with its keys sorted, defaults, aliases, units and all: says which schema this is. */
  sha256: string;
  /** Avro as JSON, as it was given. */
  text: string;
  document: Json;
}

export type Json = Record<string, unknown>;

/** @throws FlotillaError `schema-malformed` for everything that is no Avro record or could not be an event type */
export function parseSchema(text: string): EventSchema {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxSchemaBytes) throw malformed(`${bytes} bytes`, `at most ${maxSchemaBytes} bytes`);
  let document: unknown;
  let type: ReturnType<typeof plainType>;
  let canonicalForm: string;
  let whole: string;
  try {
    document = JSON.parse(text);
    whole = JSON.stringify(sorted(document));
    type = plainType(document);
    canonicalForm = JSON.stringify(type.schema());
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : String(cause), 'a schema of Avro, as JSON', cause);
  }
  const name = type.name ?? '';
  if (type.typeName !== 'record' || name === '') throw malformed(`a schema of kind ${type.typeName}`, 'a record');
  if (/^(flotilla|coordinator)\./.test(name)) throw malformed(name, "a name outside of Flotilla's own namespaces");
  if (Buffer.byteLength(name) > maxTypeBytes) throw malformed(name, `a full name of at most ${maxTypeBytes} bytes`);
  if (/"name":"__proto__"/.test(canonicalForm)) throw malformed('a field __proto__', 'another name');
  return {
    type: name,
    fingerprint: avroFingerprint(canonicalForm).toString(16).padStart(16, '0'),
    sha256: createHash('sha256').update(whole).digest('hex'),
    text,
    document: document as Json,
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

function malformed(seen: string, expected: string, cause?: unknown): FlotillaError {
  return new FlotillaError('usage', 'schema-malformed', 'this is no schema of an event type', {
    seen: seen.slice(0, 512),
    expected,
    ...(cause === undefined ? {} : { cause }),
  });
}
