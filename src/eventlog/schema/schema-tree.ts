import type { Json } from './event-schema.ts';

/** A schema with its names resolved. A record may contain itself: the tree is then a graph with a cycle. */
export type Node =
  | { kind: 'primitive'; name: string; meaning: Meaning }
  | { kind: 'record'; name: string; fields: Field[]; meaning: Meaning }
  | { kind: 'enum'; name: string; symbols: string[]; fallback: string | undefined; meaning: Meaning }
  | { kind: 'fixed'; name: string; size: number; meaning: Meaning }
  | { kind: 'array' | 'map'; item: Node; meaning: Meaning }
  | { kind: 'union'; branches: Node[]; meaning: Meaning };
export type RecordNode = Extract<Node, { kind: 'record' }>;

export interface Field {
  name: string;
  aliases: string[];
  hasDefault: boolean;
  node: Node;
  /** Of the field itself; its type may have one, too. */
  meaning: Meaning;
}

/** What a number means beyond its bytes; the bytes of another meaning look the same. */
export type Meaning = Partial<Record<(typeof meaningKeys)[number], unknown>>;
export const meaningKeys = ['unit', 'scale', 'logicalType', 'precision'] as const;

/** @param document one that avsc has taken: names are known and no shape is wrong */
export function schemaTree(document: Json): RecordNode {
  return nodeOf(document, '', new Map()) as RecordNode;
}

function nodeOf(type: unknown, namespace: string, named: Map<string, Node>): Node {
  if (typeof type === 'string') return named.get(qualify(type, namespace)) ?? named.get(type) ?? primitive(type, {});
  if (Array.isArray(type)) {
    return { kind: 'union', branches: type.map((branch) => nodeOf(branch, namespace, named)), meaning: {} };
  }
  const definition = type as Json;
  const meaning = meaningOf(definition);
  const kind = definition['type'];
  if (kind === 'array') return { kind, item: nodeOf(definition['items'], namespace, named), meaning };
  if (kind === 'map') return { kind, item: nodeOf(definition['values'], namespace, named), meaning };
  if (kind === 'record' || kind === 'enum' || kind === 'fixed') {
    return namedNode({ ...definition, type: kind }, namespace, named, meaning);
  }
  if (typeof kind !== 'string') return nodeOf(kind, namespace, named);
  const inner = nodeOf(kind, namespace, named);
  return inner.kind === 'primitive' ? primitive(inner.name, meaning) : inner;
}

function namedNode(
  definition: Json & { type: 'record' | 'enum' | 'fixed' },
  around: string,
  named: Map<string, Node>,
  meaning: Meaning,
): Node {
  const given = definition['namespace'];
  const name = qualify(String(definition['name']), typeof given === 'string' ? given : around);
  if (definition.type === 'fixed') {
    const fixed: Node = { kind: 'fixed', name, size: Number(definition['size']), meaning };
    named.set(name, fixed);
    return fixed;
  }
  if (definition.type === 'enum') {
    const fallback = definition['default'];
    const symbols = definition['symbols'] as string[];
    const node: Node = { kind: 'enum', name, symbols, fallback: fallback as string | undefined, meaning };
    named.set(name, node);
    return node;
  }
  const record: RecordNode = { kind: 'record', name, fields: [], meaning };
  named.set(name, record); // before its fields: one of them may be of this very type
  const inner = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
  for (const field of definition['fields'] as Json[]) {
    record.fields.push({
      name: String(field['name']),
      aliases: Array.isArray(field['aliases']) ? field['aliases'].map(String) : [],
      hasDefault: Object.hasOwn(field, 'default'),
      node: nodeOf(field['type'], inner, named),
      meaning: meaningOf(field),
    });
  }
  return record;
}

function qualify(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function primitive(name: string, meaning: Meaning): Node {
  return { kind: 'primitive', name, meaning };
}

function meaningOf(definition: Json): Meaning {
  return Object.fromEntries(
    meaningKeys.filter((key) => Object.hasOwn(definition, key)).map((key) => [key, definition[key]]),
  );
}

/** As a person says it: `int`, `enum meter.Phase`, `null or string`. */
export function describeNode(node: Node): string {
  switch (node.kind) {
    case 'primitive':
      return node.name;
    case 'array':
    case 'map':
      return `${node.kind} of ${describeNode(node.item)}`;
    case 'union':
      return node.branches.map(describeNode).join(' or ');
    case 'fixed':
      return `fixed ${node.name} of ${node.size} bytes`;
    case 'record':
    case 'enum':
      return `${node.kind} ${node.name}`;
  }
}
