import { Buffer } from 'node:buffer';
import avro from 'avsc';
import { DoorError } from '../../door/door-error.ts';
import type { ProductSchema } from './product-schema.ts';

/**
 * The bytes of a JSON value under its schema. Bytes and fixed are strings with a character a byte, as in Avro's own JSON.
 * @throws DoorError `schema-misfit` naming the field
 */
export function encodeValue(schema: ProductSchema, value: unknown): Uint8Array {
  const ready = revive(schema.avro, value, { schema, path: [] });
  let fault: DoorError | undefined;
  const fits = schema.avro.isValid(ready, {
    errorHook(path, part, type) {
      fault ??= misfit(schema, path, { seen: shown(part), expected: expectedOf(type) });
    },
  });
  if (!fits) throw fault ?? misfit(schema, [], { seen: shown(value), expected: 'a value of its schema' });
  return schema.avro.toBuffer(ready);
}

/** @throws DoorError `schema-misfit` when the bytes are no value of the schema */
export function checkBytes(schema: ProductSchema, bytes: Buffer): void {
  try {
    schema.avro.fromBuffer(bytes);
  } catch (cause) {
    throw misfit(schema, [], {
      seen: `${bytes.length} bytes: ${(cause as Error).message}`,
      expected: `bytes that are encoded by the schema ${schema.fingerprint.toString(16).padStart(16, '0')}`,
      cause,
    });
  }
}

interface Place {
  schema: ProductSchema;
  path: string[];
}

/** The value with bytes where the schema wants bytes; a field that no record knows is refused rather than lost. */
function revive(type: avro.Type, value: unknown, place: Place): unknown {
  const within = (name: string): Place => ({ ...place, path: [...place.path, name] });
  if (typeof value === 'string') return takesBytes(type) ? bytesOf(value, place) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (avro.Type.isType(type, 'record') && !Array.isArray(value)) {
    const fields = new Map((type as avro.types.RecordType).fields.map((field) => [field.name, field.type]));
    const unknown = Object.keys(value).find((name) => !fields.has(name));
    if (unknown !== undefined) {
      const names = [...fields.keys()].join(', ').slice(0, 200);
      throw misfit(place.schema, [...place.path, unknown], { seen: 'a field of no such name', expected: names });
    }
    return mapObject(value, (name, part) => revive(fields.get(name)!, part, within(name)));
  }
  if (avro.Type.isType(type, 'map') && !Array.isArray(value)) {
    return mapObject(value, (name, part) => revive((type as avro.types.MapType).valuesType, part, within(name)));
  }
  if (avro.Type.isType(type, 'array') && Array.isArray(value)) {
    const items = (type as avro.types.ArrayType).itemsType;
    return value.map((part, index) => revive(items, part, within(String(index))));
  }
  const branches = branchesOf(type);
  if (type.typeName === 'union:wrapped') {
    return mapObject(value, (name, part) => {
      const branch = branches.find((one) => one.branchName === name);
      return branch === undefined ? part : revive(branch, part, within(name));
    });
  }
  const kind = Array.isArray(value) ? ['array'] : ['record', 'map'];
  const branch = branches.find((one) => kind.includes(one.typeName));
  return branch === undefined ? value : revive(branch, value, place);
}

function mapObject(value: object, change: (name: string, part: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, change(name, part)]));
}

function branchesOf(type: avro.Type): readonly avro.Type[] {
  return type.typeName.startsWith('union:') ? (type as avro.types.UnwrappedUnionType).types : [];
}

function takesBytes(type: avro.Type): boolean {
  if (type.typeName === 'bytes' || type.typeName === 'fixed') return true;
  const branches = branchesOf(type);
  if (type.typeName === 'union:wrapped' || branches.some(({ typeName }) => /^(string|enum)$/.test(typeName)))
    return false;
  return branches.some(takesBytes);
}

function bytesOf(text: string, { schema, path }: Place): Buffer {
  if (!/^[\0-\u00ff]*$/.test(text)) {
    throw misfit(schema, path, { seen: shown(text), expected: 'bytes: a string of characters up to \\u00ff' });
  }
  return Buffer.from(text, 'latin1');
}

function misfit(
  { type }: ProductSchema,
  path: readonly string[],
  detail: { seen: string; expected: string; cause?: unknown },
): DoorError {
  const field = path.join('.').slice(0, 128);
  return new DoorError('usage', 'schema-misfit', `${field || 'the value'} does not fit the schema of ${type}`, detail);
}

function expectedOf(type: avro.Type): string {
  return (JSON.stringify(type.schema()) ?? 'another type').replaceAll('"', '').slice(0, 200);
}

function shown(value: unknown): string {
  return Buffer.isBuffer(value) ? `${value.length} bytes` : (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}
