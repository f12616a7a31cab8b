import { fullName, referredName } from './avro-name.ts';

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);

/**
 * A parsed Avro schema in Parsing Canonical Form: full names, nothing but what decides about the bytes, in a fixed
 * order, without blanks (Avro specification, "Transforming into Parsing Canonical Form"). What is no schema comes out as
 * something or other: it is its fingerprint that will not fit.
 */
export function canonicalForm(schema: unknown): string {
  return JSON.stringify(canonical(schema, undefined)) ?? '';
}

function canonical(schema: unknown, namespace: string | undefined): unknown {
  if (typeof schema === 'string') return primitives.has(schema) ? schema : referredName(schema, namespace);
  if (Array.isArray(schema)) return schema.map((branch) => canonical(branch, namespace));
  if (typeof schema !== 'object' || schema === null) return schema;
  const definition = schema as Record<string, unknown>;
  const { type } = definition;
  switch (type) {
    case 'record':
    case 'error': {
      const { name, namespace: inner } = fullName(definition, namespace);
      const fields = Array.isArray(definition['fields']) ? definition['fields'] : [];
      return { name, type, fields: fields.map((field) => canonicalField(field, inner)) };
    }
    case 'enum':
      return { name: fullName(definition, namespace).name, type, symbols: definition['symbols'] };
    case 'fixed':
      return { name: fullName(definition, namespace).name, type, size: Number(definition['size']) };
    case 'array':
      return { type, items: canonical(definition['items'], namespace) };
    case 'map':
      return { type, values: canonical(definition['values'], namespace) };
    default:
      return canonical(type, namespace);
  }
}

function canonicalField(field: unknown, namespace: string | undefined): unknown {
  if (typeof field !== 'object' || field === null) return field;
  const { name, type } = field as Record<string, unknown>;
  return { name, type: canonical(type, namespace) };
}
