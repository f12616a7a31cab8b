/** A device that came with a token or a manifest may report some grains with the values of those alone. */

/** The first bound grain that a report contradicts. A grain that is not reported contradicts nothing. */
export function findBoundConflict(
  bound: Readonly<Record<string, string>> | undefined,
  grains: Readonly<Record<string, unknown>>,
): { grain: string; expected: string; seen: string } | undefined {
  for (const [grain, expected] of Object.entries(bound ?? {})) {
    const value = valueAt(grains, grain);
    if (value !== undefined && textOf(value) !== expected)
      return { grain, expected, seen: textOf(value).slice(0, 256) };
  }
  return undefined;
}

/** `site`, or a path such as `os:version` into maps; a key that holds colons itself is found first. */
function valueAt(grains: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(grains, path)) return grains[path];
  let at: unknown = grains;
  for (const name of path.split(':')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
