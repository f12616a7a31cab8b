import { Buffer } from 'node:buffer';
import type avro from 'avsc';

/**
 * A decoded value as JSON without a silent loss: a long that is no exact double is text, so are NaN and the infinities;
 * bytes are base64; a nullable value stands for itself, another union says its branch as Avro's JSON does.
 * @param type an `exactType`, the one that the value was read as
 */
export function jsonOf(type: avro.Type, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  switch (type.typeName) {
    case 'long':
    case 'abstract:long' as never: {
      const long = BigInt(value as number | bigint);
      const number = Number(long);
      return Number.isSafeInteger(number) ? number : long.toString();
    }
    case 'float':
    case 'double': {
      const number = Number(value); // a long that is read as a double
      return Number.isFinite(number) ? number : String(number);
    }
    case 'array':
      return (value as unknown[]).map((item) => jsonOf((type as avro.types.ArrayType).itemsType, item));
    case 'map': {
      const { valuesType } = type as avro.types.MapType;
      return fromEntries(Object.entries(value).map(([key, item]) => [key, jsonOf(valuesType, item)]));
    }
    case 'record':
    case 'error': {
      const record = value as Record<string, unknown>;
      const { fields } = type as avro.types.RecordType;
      return fromEntries(fields.map((field) => [field.name, jsonOf(field.type, record[field.name])]));
    }
    case 'union:wrapped':
      return unionJson(type as avro.types.WrappedUnionType, value);
    default:
      return value;
  }
}

function unionJson({ types }: avro.types.WrappedUnionType, value: unknown): unknown {
  const [[name, inner] = ['', null]] = Object.entries(value as Record<string, unknown>);
  const branch = types.find(({ branchName }) => branchName === name);
  if (branch === undefined) return null;
  const json = jsonOf(branch, inner);
  return types.length === 2 && types.some(({ typeName }) => typeName === 'null') ? json : { [name]: json };
}

/** Own members only, whatever their names. */
function fromEntries(entries: [string, unknown][]): Record<string, unknown> {
  return Object.fromEntries(entries);
}
