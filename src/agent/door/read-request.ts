import { Compile } from 'typebox/compile';
import type { TSchema } from 'typebox';
import { DoorError, IdSchema, requestSchemas, type DoorRequest, type Id, type RequestShape } from '../../door/index.ts';

type Validator = ReturnType<typeof Compile>;

export type ReadRequest =
  | { shape: RequestShape; request: DoorRequest }
  /** `bad`: it was no request at all; a program that goes on like that is cut off. */
  | { id: Id | null; error: DoorError; bad: boolean };

/** Reads lines; a schema is compiled when its first request comes, so that a start costs none of them. Never throws. */
export function createRequestReader(): (line: Uint8Array) => ReadRequest {
  const schemas: Readonly<Record<string, TSchema>> = { ...requestSchemas, id: IdSchema };
  const compiled = new Map<string, Validator>();
  const validatorOf = (shape: string): Validator => {
    const validator = compiled.get(shape) ?? Compile(schemas[shape]!);
    compiled.set(shape, validator);
    return validator;
  };
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  const verbs = Object.keys(requestSchemas).filter((shape) => !shape.includes(' '));

  return (line) => {
    let value: unknown;
    try {
      value = JSON.parse(utf8.decode(line));
    } catch {
      return bad(null, 'the line is not JSON in UTF-8', { expected: 'one JSON object a line' });
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return bad(null, 'the line is not a JSON object', { expected: '{"id": …, "verb": …}' });
    }
    const { id, verb } = value as { id?: unknown; verb?: unknown };
    if (!isId(validatorOf('id'), id)) {
      return bad(null, 'the request has no id', { expected: 'id: a whole number from 0, or at most 64 characters' });
    }
    if (typeof verb !== 'string' || !verbs.includes(verb)) {
      // Perhaps of a later version: the program may go on without it.
      const error = new DoorError('usage', 'verb-unknown', 'this agent has no such verb', {
        ...(typeof verb === 'string' ? { seen: verb.slice(0, 64) } : {}),
        expected: verbs.join(', '),
      });
      return { id, error, bad: typeof verb !== 'string' };
    }
    const shape = verb === 'publish' && 'rows' in value ? 'publish rows' : verb;
    const validator = validatorOf(shape);
    if (validator.Check(value)) return { shape: shape as RequestShape, request: value as DoorRequest };
    const [first] = validator.Errors(value);
    const place = first?.instancePath.slice(1, 129).replaceAll('/', '.') ?? '';
    return bad(id, `${verb} does not take this${place === '' ? '' : `: ${place}`}`, {
      expected: first?.keyword === 'boolean' ? 'no such field' : (first?.message ?? 'another shape'),
    });
  };
}

function isId(validator: Validator, id: unknown): id is Id {
  return validator.Check(id);
}

function bad(id: Id | null, message: string, detail: { expected: string }): ReadRequest {
  return { id, error: new DoorError('usage', 'request-malformed', message, detail), bad: true };
}
