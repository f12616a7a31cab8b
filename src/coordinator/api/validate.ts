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
    const path = first?.instancePath ?? '';
    const expected = (first?.message ?? 'another shape').replace(/^must /, '');
    const names = path.split('/').slice(1);
    return { error: malformed(names.join('.') || part, shown(valueAt(value, names)), expected) };
  };
}

function valueAt(value: unknown, names: readonly string[]): unknown {
  return names.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], value);
}

function shown(value: unknown): string | undefined {
  return typeof value === 'object' ? undefined : JSON.stringify(value)?.slice(0, 80);
}

function malformed(place: string, seen: string | undefined, expected: string): FlotillaError {
  return new FlotillaError('usage', 'api-request-malformed', `the coordinator does not take such a request: ${place}`, {
    ...(seen === undefined ? {} : { seen }),
    expected,
    suggestion: 'see the command with --help; it has to be of the same version as the coordinator',
  });
}
