import type { FactTerm } from './ast.ts';
import { compileGlob, escapeInGlob, literalOf, type GlobPredicate } from './glob.ts';
import { compileRegex, RegexSyntaxError, type RegexPredicate } from './regex.ts';

/** Tests the text of a value. */
export type ValuePredicate = (text: string) => boolean;

/** One level as a key: a name, any one name (`*`), any path (`**`), or a glob on names (case-sensitive). */
export type KeyPattern =
  | { kind: 'name'; name: string; index: number | undefined }
  | { kind: 'any' }
  | { kind: 'any-depth' }
  | { kind: 'glob'; source: string; matches: GlobPredicate };

export interface FactPattern {
  keys: KeyPattern[];
  /** `values[i]` tests a value by the levels from i on; undefined where they cannot be a value. */
  values: (ValuePredicate | undefined)[];
  /** `names[i]`: the levels from i on, as the name of one key. */
  names: string[];
}

/** Compiles a term. Values ignore case, as in Salt; keys do not. */
export function compileFact(term: FactTerm): FactPattern {
  const { levels, delimiter } = term;
  return {
    keys: levels.map(readKey),
    values: term.by === 'regex' ? valueRegexes(term) : valueGlobs(term),
    names: levels.map((_, index) =>
      levels
        .slice(index)
        .map((level) => literalOf(level) ?? level)
        .join(delimiter),
    ),
  };
}

function readKey(level: string): KeyPattern {
  if (level === '*') return { kind: 'any' };
  if (level === '**') return { kind: 'any-depth' };
  const name = literalOf(level);
  if (name === undefined) return { kind: 'glob', source: level, matches: compileGlob(level) };
  return { kind: 'name', name, index: /^[+-]?\d{1,9}$/u.test(name) ? Number(name) : undefined };
}

function valueGlobs({ levels, delimiter }: FactTerm): ValuePredicate[] {
  return levels.map((_, index) => {
    const source = levels.slice(index).join(escapeInGlob(delimiter));
    const matches = compileGlob(source.toLowerCase());
    return (text) => matches(text.toLowerCase());
  });
}

/**
 * The regex for each place where the value may start. Validity must not depend on a device, so the first place that
 * is not a wildcard key decides: `P@pkgs:*:version:1\.` starts at `version`. Later places that are no regex
 * (`P@mac:(00:){4}` cut inside the parentheses) are keys only.
 * @throws RegexSyntaxError
 */
export function valueRegexes({ levels, delimiter }: FactTerm): (RegexPredicate | undefined)[] {
  let isDecided = false;
  const regexes = levels.map((level, index) => {
    if (index === 0 || (!isDecided && (level === '*' || level === '**'))) return undefined;
    try {
      const regex = compileRegex(levels.slice(index).join(delimiter), { ignoreCase: true });
      isDecided = true;
      return regex;
    } catch (error) {
      if (isDecided && error instanceof RegexSyntaxError) return undefined;
      throw error;
    }
  });
  if (!isDecided) throw new RegexSyntaxError(`missing argument to repetition operator: \`${levels.at(-1)}\``);
  return regexes;
}
