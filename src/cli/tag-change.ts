import { FlotillaError } from '../error.ts';

/** `key=value` sets, `key-` removes; keys as the contract has them. */
export function parseTagChanges(words: readonly string[]): { set: Record<string, string>; unset: string[] } {
  const set: Record<string, string> = {};
  const unset: string[] = [];
  for (const word of words) {
    const [, key, equals, value] = /^([a-z0-9][a-z0-9._-]{0,62}?)(=|-$)(.*)$/s.exec(word) ?? [];
    if (key === undefined) {
      throw new FlotillaError('usage', 'tag-malformed', 'this is no change of a tag', {
        seen: JSON.stringify(word),
        expected: 'key=value to set, or key- to remove; a key is a-z, 0-9, dot, dash and underscore',
      });
    }
    if (Object.hasOwn(set, key) || unset.includes(key)) {
      throw new FlotillaError('usage', 'tag-twice', `the tag ${key} is changed twice`, {
        seen: words.join(' '),
        expected: 'at most one change of each key',
      });
    }
    if (equals === '=') set[key] = value as string;
    else unset.push(key);
  }
  return { set, unset };
}
