import { isDeepStrictEqual } from 'node:util';

/** Both sides changed the same place, differently. Absent members: the place is not there. */
export interface ConfigConflict {
  /** RFC 6901: `/net/dns`; '' is the whole document. */
  path: string;
  base?: unknown;
  desired?: unknown;
  reported?: unknown;
}

export interface Merged {
  document: unknown;
  conflicts: ConfigConflict[];
  /** Places that the reported side alone has changed: they stand in `document`. */
  kept: string[];
}

/**
 * Three-way merge by place. Objects are merged member by member, everything else is a value, an array as a whole too.
 * @param base what both sides come from; undefined when there is none: then what both have must be the same
 */
export function mergeDocuments(base: unknown, desired: unknown, reported: unknown): Merged {
  const conflicts: ConfigConflict[] = [];
  const kept: string[] = [];
  const merge = (from: unknown, ours: unknown, theirs: unknown, path: string): unknown => {
    if (isDeepStrictEqual(ours, theirs) || isDeepStrictEqual(from, theirs)) return ours;
    if (isDeepStrictEqual(from, ours)) {
      kept.push(path);
      return theirs;
    }
    if (isObject(ours) && isObject(theirs)) {
      const before = isObject(from) ? from : {};
      const names = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
      const members = Array.from(names, (name): [string, unknown] => {
        const at = `${path}/${escaped(name)}`;
        return [name, merge(member(before, name), member(ours, name), member(theirs, name), at)];
      });
      return Object.fromEntries(members.filter(([, value]) => value !== undefined));
    }
    conflicts.push({
      path,
      ...(from === undefined ? {} : { base: from }),
      ...(ours === undefined ? {} : { desired: ours }),
      ...(theirs === undefined ? {} : { reported: theirs }),
    });
    return ours;
  };
  const document = merge(base, desired, reported, '');
  return { document, conflicts, kept };
}

/** Places in which two documents differ. */
export function differingPaths(one: unknown, other: unknown, path = ''): string[] {
  if (isDeepStrictEqual(one, other)) return [];
  if (!isObject(one) || !isObject(other)) return [path];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].flatMap((name) =>
    differingPaths(member(one, name), member(other, name), `${path}/${escaped(name)}`),
  );
}

/** What stands in a place; undefined when nothing does. */
export function valueAt(document: unknown, path: string): unknown {
  return path
    .split('/')
    .slice(1)
    .reduce<unknown>(
      (at, name) => (isObject(at) ? member(at, name.replaceAll('~1', '/').replaceAll('~0', '~')) : undefined),
      document,
    );
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function member(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Objects and lists in each other: a bound for everything that walks a document. */
export const maxDepth = 64;

export function isTooDeep(document: unknown, depth = 0): boolean {
  if (typeof document !== 'object' || document === null) return false;
  return depth >= maxDepth || Object.values(document).some((inner) => isTooDeep(inner, depth + 1));
}
