import { fullName, referredName } from '../avro-name.ts';
import { maxSchemaDepth, maxSlots } from './limit.ts';

/** What one column holds. A presence column says for each row whether a nullable field has a value. */
export type SlotKind = 'presence' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'enum' | 'string' | 'bytes';

export interface Slot {
  readonly kind: SlotKind;
  /** Values of an int-like column lie in min to max; both 0 where that has no meaning. */
  readonly min: number;
  readonly max: number;
  /** The presence column that says which rows have a value here, or -1: every row has one. */
  readonly parent: number;
}

/** How a payload is walked: fields in the order of the schema, records dissolved. */
export type Step =
  | { readonly slot: number; readonly kind: Exclude<SlotKind, 'presence'> }
  /** `nullBranch` is the index of null in the union. */
  | { readonly slot: number; readonly kind: 'presence'; readonly nullBranch: 0 | 1; readonly steps: readonly Step[] };

export interface ColumnSchema {
  readonly slots: readonly Slot[];
  readonly steps: readonly Step[];
}

const ranges: Record<SlotKind, [min: number, max: number]> = {
  presence: [0, 1],
  boolean: [0, 1],
  int: [-0x8000_0000, 0x7fff_ffff],
  long: [0, 0],
  float: [0, 0],
  double: [0, 0],
  enum: [0, 0],
  string: [0, 0],
  bytes: [0, 0],
};

/**
 * Reads a parsed Avro schema (a JSON value) whose top is a record. Undefined when it holds something that has no
 * columns (arrays, maps, fixed, unions other than null and one more, recursion), is too large, or is no schema at all:
 * its payloads then travel opaque.
 */
export function columnSchema(avro: unknown): ColumnSchema | undefined {
  const slots: Slot[] = [];
  const named = new Map<string, unknown>();
  const steps = isRecord(avro) ? recordSteps(avro, -1, { slots, named, depth: 0 }) : undefined;
  return steps === undefined || slots.length > maxSlots ? undefined : { slots, steps };
}

interface Walk {
  slots: Slot[];
  /** Types defined so far by full name; a name inside its own definition is not yet there, so nothing recurs. */
  named: Map<string, unknown>;
  depth: number;
  namespace?: string;
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRecord(value: unknown): value is Json & { fields: unknown[] } {
  return isObject(value) && value['type'] === 'record' && Array.isArray(value['fields']);
}

function recordSteps(record: Json & { fields: unknown[] }, parent: number, walk: Walk): Step[] | undefined {
  if (walk.depth >= maxSchemaDepth) return undefined;
  const { name, namespace } = fullName(record, walk.namespace);
  const inner: Walk = { ...walk, depth: walk.depth + 1, ...(namespace === undefined ? {} : { namespace }) };
  const steps: Step[] = [];
  for (const field of record.fields) {
    const one = isObject(field) ? typeSteps(field['type'], parent, inner) : undefined;
    if (one === undefined || walk.slots.length > maxSlots) return undefined;
    steps.push(...one);
  }
  walk.named.set(name, record);
  return steps;
}

function typeSteps(type: unknown, parent: number, walk: Walk): Step[] | undefined {
  if (typeof type === 'string') return nameSteps(type, parent, walk);
  if (Array.isArray(type)) return unionSteps(type, parent, walk);
  if (isRecord(type)) return recordSteps(type, parent, walk);
  if (!isObject(type)) return undefined;
  if (type['type'] === 'enum' && Array.isArray(type['symbols']) && type['symbols'].length > 0) {
    walk.named.set(fullName(type, walk.namespace).name, type);
    return [leaf('enum', parent, walk, type['symbols'].length - 1)];
  }
  // {"type": "long", "logicalType": …} and the like; logical types change the meaning, not the bytes.
  const inner = type['type'];
  return typeof inner === 'string' && primitive(inner) ? nameSteps(inner, parent, walk) : undefined;
}

function primitive(name: string): name is Exclude<SlotKind, 'presence' | 'enum'> {
  return name in ranges && name !== 'presence' && name !== 'enum';
}

function nameSteps(name: string, parent: number, walk: Walk): Step[] | undefined {
  if (primitive(name)) return [leaf(name, parent, walk)];
  const known = walk.named.get(referredName(name, walk.namespace));
  return known === undefined ? undefined : typeSteps(known, parent, walk);
}

function unionSteps(union: unknown[], parent: number, walk: Walk): Step[] | undefined {
  if (walk.depth >= maxSchemaDepth || union.length !== 2) return undefined;
  const nullBranch = union.indexOf('null');
  if (nullBranch !== 0 && nullBranch !== 1) return undefined;
  const value = union[1 - nullBranch];
  if (value === 'null' || Array.isArray(value)) return undefined;
  const slot = walk.slots.length;
  walk.slots.push({ kind: 'presence', min: 0, max: 1, parent });
  const steps = typeSteps(value, slot, { ...walk, depth: walk.depth + 1 });
  return steps && [{ slot, kind: 'presence', nullBranch, steps }];
}

function leaf(kind: Exclude<SlotKind, 'presence'>, parent: number, walk: Walk, enumMax = 0): Step {
  const [min, max] = kind === 'enum' ? [0, enumMax] : ranges[kind];
  const slot = walk.slots.length;
  walk.slots.push({ kind, min, max, parent });
  return { slot, kind };
}
