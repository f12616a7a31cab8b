import { FlotillaError } from '../error.ts';

/** `name=value` words of a flag that may be given several times. */
export function parseNameValues(words: readonly string[], flag: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const word of words) {
    const at = word.indexOf('=');
    const name = word.slice(0, Math.max(0, at));
    if (name === '' || Object.hasOwn(result, name)) {
      throw new FlotillaError('usage', 'name-value-malformed', `${flag} is not name=value, each name once`, {
        seen: JSON.stringify(word),
        expected: `${flag} name=value`,
      });
    }
    result[name] = word.slice(at + 1);
  }
  return result;
}
