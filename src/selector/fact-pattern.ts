import type { FactTerm } from './ast.ts';
import { textOfFact } from './fact-text.ts';
import { compileGlob, escapeInGlob, literalOf, type GlobPredicate } from './glob.ts';
import { compileRegex, RegexSyntaxError, type RegexPredicate } from './regex.ts';

/** Tests a value. Only ages need to know what time it is. */
export type ValuePredicate = (value: unknown, nowMs: number) => boolean;

type TextPredicate = (text: string) => boolean;

/** One level as a key: a name, any one name or none (`*`), any path (`**`), a glob on names (case-sensitive), or no key. */
export type KeyPattern =
  | { kind: 'name'; name: string; trimmed: string; index: number | undefined }
  | { kind: 'any' }
  | { kind: 'any-depth' }
  | { kind: 'glob'; source: string; matches: GlobPredicate }
  | { kind: 'none' };

export interface FactPattern {
  keys: KeyPattern[];
  /** `values[i]` tests a value by the levels from i on; undefined where they cannot be a value. */
  values: (ValuePredicate | undefined)[];
  /** `names[i]`: the levels from i on, as the name of one key. */
  names: string[];
  /** Several ways may lead to one place, so places tried in vain are remembered. */
  isAmbiguous: boolean;
}

/** Compiles a term. Values ignore case, as in Salt; keys do not. */
export function compileFact(term: FactTerm): FactPattern {
  const { levels, delimiter } = term;
  const keys = levels.map(readKey);
  const wildcards = keys.filter((key) => key.kind === 'any' || key.kind === 'any-depth');
  return {
    keys,
    isAmbiguous: wildcards.length > 1 || wildcards.some((key) => key.kind === 'any-depth'),
    values: (term.by === 'regex' ? valueRegexes(term) : valueGlobs(term)).map(onText),
    names: levels.map((_, index) =>
      levels
        .slice(index)
        .map((level) => literalOf(level) ?? level)
        .join(delimiter),
    ),
  };
}

function onText(matches: TextPredicate | undefined): ValuePredicate | undefined {
  return matches === undefined ? undefined : (value) => matches(textOfFact(value));
}

export function readKey(level: string): KeyPattern {
  if (level === '*') return { kind: 'any' };
  if (level === '**') return { kind: 'any-depth' };
  const name = literalOf(level);
  if (name === undefined) return { kind: 'glob', source: level, matches: compileGlob(level) };
  // Salt looks a missing key up again as YAML, which forgives blanks around it.
  return { kind: 'name', name, trimmed: name.trim(), index: /^[+-]?\d{1,9}$/u.test(name) ? Number(name) : undefined };
}

function valueGlobs({ levels, delimiter }: FactTerm): TextPredicate[] {
  return levels.map((_, index) => {
    const source = levels.slice(index).join(escapeInGlob(delimiter));
    const matches = compileGlob(source.toLowerCase());
    return (text) => matches(text.toLowerCase());
  });
}

/**
 * The regex for each place where the value may start. Validity must not depend on a device, so the first place that
 * is not a wildcard key decides: `P@pkgs:*:version:1\.` starts at `version`. Later places may be no regex at all
 * (`P@mac:(00:){4}` cut inside the parentheses), then they are keys only; they are compiled when a device has such
 * keys, because sixty of them can cost as much as a thousand devices.
 * @throws RegexSyntaxError
 */
export function valueRegexes({ levels, delimiter }: FactTerm): (RegexPredicate | undefined)[] {
  const first = levels.findIndex((level, index) => index > 0 && level !== '*' && level !== '**');
  if (first === -1) throw new RegexSyntaxError(`missing argument to repetition operator: \`${levels.at(-1)}\``, '');
  const sourceFrom = (index: number): string => levels.slice(index).join(delimiter);
  return levels.map((_, index) => {
    if (index < first) return undefined;
    if (index === first) return compileRegex(sourceFrom(index), { ignoreCase: true });
    let compiled: RegexPredicate | undefined;
    return (text) => {
      compiled ??= compileOrRefuse(sourceFrom(index));
      return compiled(text);
    };
  });
}

function compileOrRefuse(source: string): RegexPredicate {
  try {
    return compileRegex(source, { ignoreCase: true });
  } catch (error) {
    if (error instanceof RegexSyntaxError) return () => false;
    throw error;
  }
}
