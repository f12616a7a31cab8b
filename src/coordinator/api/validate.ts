import { Type, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Convert } from 'typebox/value';
import { FlotillaError } from '../../error.ts';

export type Part = 'body' | 'querystring' | 'params';

/**
 * The checker of one schema for one part of a request. Fail closed: a field that the route does not know is refused,
 * because a misspelt limit that is silently ignored is worse than an error.
 */
export function createValidator(schema: TSchema, part: Part): (data: unknown) => { value: unknown } | { error: Error } {
  const check = Compile(schema);
  const known = Type.IsObject(schema) ? new Set(Object.keys(schema.properties)) : undefined;
  return (data) => {
    // Everything in a URL is text; a body says itself what is a number.
    const value = part === 'body' ? data : Convert(schema, data ?? {});
    const unknown =
      known === undefined || typeof value !== 'object' || value === null
        ? undefined
        : Object.keys(value).find((name) => !known.has(name));
    if (unknown !== undefined)
      return { error: malformed(part, `the unknown field ${unknown}`, [...known!].join(', ')) };
    if (check.Check(value)) return { value };
    const [first] = check.Errors(value);
    const place = first === undefined || first.instancePath === '' ? part : `${part}${first.instancePath}`;
    return { error: malformed(place, first?.message ?? 'it does not fit') };
  };
}

function malformed(place: string, seen: string, expected?: string): FlotillaError {
  return new FlotillaError('usage', 'api-request-malformed', `the request is not what this route takes: ${place}`, {
    seen,
    ...(expected === undefined ? {} : { expected }),
    suggestion: 'use the flotilla command of the same version as the coordinator',
  });
}
