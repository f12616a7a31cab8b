/**
 * Which schemas of an event type may stand beside each other. A fleet keeps old firmware for years, so every version
 * must read every other one, whichever is older (full, transitive): avsc's resolution decides, and the rules here, which
 * also name the field and say what to do.
 */
import { exactType } from './compile-schema.ts';
import type { EventSchema } from './event-schema.ts';
import { describeNode, meaningKeys, schemaTree, type Field, type Meaning, type Node } from './schema-tree.ts';

/** A schema with the name that a person knows it by: `version 2`, a file. */
export interface LabelledSchema {
  label: string;
  schema: EventSchema;
}

export interface Incompatibility {
  type: string;
  /** Path of the field from the top of the record, `position.latitude`; '' when no single field is to blame. */
  field: string;
  /** Labels; of a rule about one schema alone both are the same. */
  older: string;
  newer: string;
  reason: string;
  /** What to do. */
  suggestion: string;
}

/** Of a newer schema: what it breaks by itself, and with each of the older ones, which are in order of age. */
export function checkSchema(candidate: LabelledSchema, older: readonly LabelledSchema[]): Incompatibility[] {
  const { type } = candidate.schema;
  const about = (found: Found[], olderLabel: string): Incompatibility[] =>
    found.map((one) => ({ type, ...one, older: olderLabel, newer: candidate.label }));
  return [
    ...about(checkAlone(candidate.schema), candidate.label),
    ...older.flatMap((one) => about(checkPair(one, candidate), one.label)),
    ...reusedNames(candidate, older),
  ];
}

interface Found {
  field: string;
  reason: string;
  suggestion: string;
}

/** Rules about one schema, without which it could not grow. */
function checkAlone({ document }: EventSchema): Found[] {
  const found: Found[] = [];
  eachField(schemaTree(document), ({ node }, path) => {
    for (const inner of parts(node)) {
      if (inner.kind === 'enum' && inner.fallback === undefined) {
        found.push({
          field: path,
          reason: `the enum ${inner.name} has no default symbol: a reader could not take a symbol that comes later`,
          suggestion: `add "default": one of ${inner.symbols.join(', ')}`,
        });
      }
      if (inner.kind === 'union' && !isNullable(inner)) {
        found.push({
          field: path,
          reason: `${describeNode(inner)} is a union of other than null and one type`,
          suggestion: 'give each kind of value a nullable field of its own',
        });
      }
    }
  });
  return found;
}

function checkPair(older: LabelledSchema, newer: LabelledSchema): Found[] {
  const found: Found[] = [];
  const seen = new Set<string>();
  const add = (field: string, reason: string, suggestion: string): void =>
    void found.push({ field, reason, suggestion });

  function compare(from: Node, to: Node, path: string): void {
    compareMeaning(from.meaning, to.meaning, path);
    if (from.kind === 'record' && to.kind === 'record') return compareRecords(from, to, path);
    if ((from.kind === 'array' && to.kind === 'array') || (from.kind === 'map' && to.kind === 'map')) {
      return compare(from.item, to.item, path);
    }
    if (isNullable(from) && isNullable(to)) return compare(valueOf(from), valueOf(to), path);
    if (from.kind === 'enum' && to.kind === 'enum' && from.name === to.name) return; // their defaults see to it
    if (sameBytes(from, to)) return;
    add(
      path,
      `its type changed from ${describeNode(from)} to ${describeNode(to)}, and events go both ways`,
      'leave the field as it is, with a default, and add a new field',
    );
  }

  function compareRecords(
    from: Extract<Node, { kind: 'record' }>,
    to: Extract<Node, { kind: 'record' }>,
    path: string,
  ): void {
    const pair = `${from.name}:${to.name}`;
    if (seen.has(pair)) return;
    seen.add(pair);
    const fromFields = new Map(from.fields.map((field) => [field.name, field]));
    const toFields = new Map(to.fields.map((field) => [field.name, field]));
    for (const field of to.fields) {
      const before = fromFields.get(field.name);
      const at = join(path, field.name);
      if (before !== undefined) {
        compareMeaning(before.meaning, field.meaning, at);
        compare(before.node, field.node, at);
      } else if (!field.hasDefault && !field.aliases.some((alias) => fromFields.has(alias))) {
        add(
          at,
          `it is new and has no default: events of ${older.label} do not have it`,
          'give the new field a default',
        );
      }
    }
    for (const field of from.fields) {
      if (toFields.has(field.name) || field.hasDefault) continue;
      add(
        join(path, field.name),
        `it was removed and has no default in ${older.label}: whoever still reads with that finds nothing in its place`,
        'leave the field in; only one that has a default everywhere can be removed',
      );
    }
  }

  function compareMeaning(from: Meaning, to: Meaning, path: string): void {
    for (const key of meaningKeys) {
      const [before, after] = [from[key], to[key]].map((value) =>
        value === undefined ? 'none' : JSON.stringify(value),
      );
      if (before === after) continue;
      add(
        path,
        `its ${key} changed from ${before} to ${after}: the same bytes would mean something else`,
        'leave the field as it is, with a default, and add a new field for the new meaning',
      );
    }
  }

  compare(schemaTree(older.schema.document), schemaTree(newer.schema.document), '');
  if (found.length === 0) found.push(...resolverFaults(older, newer));
  return found;
}

/** The last word is avsc's, both ways. */
function resolverFaults(older: LabelledSchema, newer: LabelledSchema): Found[] {
  const faults: Found[] = [];
  for (const [reader, writer] of [
    [newer, older],
    [older, newer],
  ] as const) {
    try {
      exactType(reader.schema.document).createResolver(exactType(writer.schema.document));
    } catch (error) {
      faults.push({
        field: '',
        reason: `readers of ${reader.label} can't read events of ${writer.label}: ${error instanceof Error ? error.message : String(error)}`,
        suggestion: 'take the change back, and add a new field with a default',
      });
    }
  }
  return faults;
}

/** A name that meant something once must not come back with another meaning. */
function reusedNames(candidate: LabelledSchema, older: readonly LabelledSchema[]): Incompatibility[] {
  const paths = older.map(({ schema }) => fieldPaths(schema));
  const found: Incompatibility[] = [];
  for (const field of fieldPaths(candidate.schema)) {
    const first = paths.findIndex((known) => known.has(field));
    if (first < 0) continue;
    // Gone from a version that still has the record around it.
    const gone = paths.findIndex((known, n) => n > first && !known.has(field) && hasParent(known, field));
    if (gone < 0 || paths.slice(gone).some((known) => known.has(field))) continue;
    found.push({
      type: candidate.schema.type,
      field,
      older: older[first]!.label,
      newer: candidate.label,
      reason: `the name was used in ${older[first]!.label} and removed in ${older[gone]!.label}`,
      suggestion: 'take a name that was never used',
    });
  }
  return found;
}

function hasParent(known: ReadonlySet<string>, path: string): boolean {
  const dot = path.lastIndexOf('.');
  return dot < 0 || known.has(path.slice(0, dot));
}

function fieldPaths({ document }: EventSchema): Set<string> {
  const paths = new Set<string>();
  eachField(schemaTree(document), (_, path) => paths.add(path));
  return paths;
}

/** Each field once, with its path; a record that stands in several places is walked at the first. */
function eachField(top: Extract<Node, { kind: 'record' }>, visit: (field: Field, path: string) => void): void {
  const walked = new Set<Node>();
  const walk = (record: Extract<Node, { kind: 'record' }>, path: string): void => {
    if (walked.has(record)) return;
    walked.add(record);
    for (const field of record.fields) {
      const at = join(path, field.name);
      visit(field, at);
      for (const part of parts(field.node)) if (part.kind === 'record') walk(part, at);
    }
  };
  walk(top, '');
}

/** The node and what stands in it, down to records. */
function parts(node: Node): Node[] {
  if (node.kind === 'array' || node.kind === 'map') return [node, ...parts(node.item)];
  return node.kind === 'union' ? [node, ...node.branches.flatMap(parts)] : [node];
}

type Union = Extract<Node, { kind: 'union' }>;

function isNullable(node: Node): node is Union {
  return (
    node.kind === 'union' && node.branches.length === 2 && node.branches.some(isNull) && !node.branches.every(isNull)
  );
}

function isNull(node: Node): boolean {
  return node.kind === 'primitive' && node.name === 'null';
}

function valueOf(union: Union): Node {
  return union.branches.find((branch) => !isNull(branch))!;
}

/** Types that each read the other's bytes. */
function sameBytes(from: Node, to: Node): boolean {
  if (from.kind === 'primitive' && to.kind === 'primitive') {
    const texts = ['string', 'bytes'];
    return from.name === to.name || (texts.includes(from.name) && texts.includes(to.name));
  }
  if (from.kind === 'fixed' && to.kind === 'fixed') return from.name === to.name && from.size === to.size;
  if (from.kind === 'union' && to.kind === 'union') return describeNode(from) === describeNode(to);
  return false;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
