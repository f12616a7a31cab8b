import { Compile } from 'typebox/compile';
import { parseJsonRow } from '../eventlog/index.ts';
import type { Row } from '../protocol/lane.ts';
import { requestSchemas, type RequestType } from '../protocol/request.ts';

type Validator = ReturnType<typeof Compile>;

/**
 * Reads what requests hold; a schema is compiled when its first request comes. Undefined: it is not what its type
 * promises, or of a type that nobody knows.
 */
export function createPayloadReader(): (row: Pick<Row, 'type' | 'schema' | 'payload'>) => unknown {
  const compiled = new Map<string, Validator>();
  return (row) => {
    if (!Object.hasOwn(requestSchemas, row.type)) return undefined;
    const validator = compiled.get(row.type) ?? Compile(requestSchemas[row.type as RequestType]);
    compiled.set(row.type, validator);
    try {
      const payload = parseJsonRow(row);
      return validator.Check(payload) ? payload : undefined;
    } catch {
      return undefined;
    }
  };
}
