import { formatNetwork, parseNetwork, suggestNetwork } from './address.ts';
import type { FactTerm, Term } from './ast.ts';
import { findEngine, listEngines, type Engine, type EnginePrefix } from './engine.ts';
import { valueRegexes } from './fact-pattern.ts';
import { escapeInGlob } from './glob.ts';
import type { WordCharacter, WordToken } from './lexer.ts';
import { selectorLimit } from './limit.ts';
import { compileRegex, RegexSyntaxError } from './regex.ts';
import { selectorError, type Span } from './selector-error.ts';

/** Words that start a comparison; as a glob they would silently match nothing, and under `not` everything. */
const comparison = /^(?:[<>]|!=|age\s*[<>])/u;

/** One word to one term. Everything that can be wrong with it is found here, without looking at any device. */
export function parseTerm(text: string, word: WordToken): Term {
  const engine = engineOf(text, word);
  if (engine === undefined) return { kind: 'id-glob', pattern: requireValue(text, word, globOf(word.characters)) };
  switch (engine.letter) {
    case 'E':
      return { kind: 'id-regex', source: checkedRegex(text, word, requireValue(text, word, regexOf(word.characters))) };
    case 'L':
      return { kind: 'id-list', ids: listIds(text, word) };
    case 'S':
      return { kind: 'address', network: readNetwork(text, word) };
    default:
      return readFact(text, word, engine);
  }
}

function engineOf(text: string, word: WordToken): Engine | undefined {
  if (word.prefix === undefined) return undefined;
  const { letter, delimiter, length } = word.prefix;
  const span = { start: word.span.start, end: word.span.start + length };
  const engine = findEngine(letter);
  if (engine === undefined) throw unknownEngine(text, word.prefix, span);
  if (delimiter === undefined) return engine;
  if (!engine.takesDelimiter) {
    throw selectorError(text, span, 'bad-delimiter', `${letter}@ takes no delimiter`, {
      seen: `${letter}${delimiter}@`,
      expected: `${letter}@`,
      suggestion: `Write ${engine.example}.`,
    });
  }
  if (Array.from(delimiter).length !== 1 || /["'\\]/u.test(delimiter)) {
    throw selectorError(text, span, 'bad-delimiter', `${delimiter} cannot be a delimiter`, {
      seen: delimiter,
      expected: 'one character, neither quote nor backslash',
      suggestion: `Write ${letter}|@key|value, or quote the part that holds a colon: ${letter}@key:"a:b".`,
    });
  }
  return engine;
}

function unknownEngine(text: string, { letter, delimiter = '' }: EnginePrefix, span: Span): Error {
  const seen = `${letter}${delimiter}@`;
  const capital = findEngine(letter.toUpperCase());
  return selectorError(text, span, 'unknown-engine', `${seen} is not an engine`, {
    seen,
    expected: listEngines(),
    suggestion:
      capital === undefined
        ? 'Quote the word if it is part of an id.'
        : `Engines are capital letters: write ${capital.letter}${capital.takesDelimiter ? delimiter : ''}@.`,
  });
}

function requireValue(text: string, word: WordToken, value: string): string {
  if (value !== '') return value;
  throw selectorError(text, word.span, 'missing-value', `${word.text} has no value`, {
    seen: word.text,
    expected: word.prefix === undefined ? 'an id or a glob' : `such as ${findEngine(word.prefix.letter)?.example}`,
    suggestion: word.prefix === undefined ? 'Write * for every device.' : `Write what ${word.text} should match.`,
  });
}

function listIds(text: string, word: WordToken): string[] {
  const ids = split(word.characters, ',')
    .map((part) => part.map((character) => character.value).join(''))
    .filter((id) => id !== '');
  // `L@,` names nobody, so `not L@,` would be everybody.
  if (ids.length === 0) requireValue(text, word, '');
  return ids;
}

function readNetwork(text: string, word: WordToken): string {
  const source = requireValue(text, word, word.characters.map((character) => character.value).join(''));
  const network = parseNetwork(source);
  if (typeof network === 'object') return formatNetwork(network);
  const message = {
    address: 'is not an IPv4 or IPv6 address',
    prefix: 'has no valid prefix length or netmask',
    'host-bits': 'has host bits set: is it a network or one address?',
  }[network];
  const meant = network === 'host-bits' ? suggestNetwork(source) : undefined;
  throw selectorError(text, word.span, 'bad-address', `${source} ${message}`, {
    seen: source,
    expected: 'S@10.1.1.10, S@10.1.0.0/16, S@2001:db8::/32',
    suggestion:
      meant === undefined
        ? 'Write the whole address, without wildcards; for text matching use G@ipv4:10.1.*.'
        : `Write S@${meant} for the network or S@${source.slice(0, source.indexOf('/'))} for the address.`,
  });
}

function readFact(text: string, word: WordToken, engine: Engine): FactTerm {
  const delimiter = word.prefix?.delimiter ?? ':';
  const by = engine.isRegex ? 'regex' : 'glob';
  const parts = split(word.characters, delimiter);
  const levels = parts.map(by === 'regex' ? regexOf : globOf);
  const term: FactTerm = {
    kind: 'fact',
    from: 'GP'.includes(engine.letter) ? 'grains' : 'tags',
    by,
    delimiter,
    levels,
  };
  if (levels.length < 2) throw missingDelimiter(text, word, engine, delimiter);
  if (levels.length > selectorLimit.maxFactLevels) {
    throw selectorError(text, word.span, 'too-deep', `${levels.length} levels in one term`, {
      seen: `${levels.length} levels`,
      expected: `at most ${selectorLimit.maxFactLevels}`,
      suggestion: 'Quote a value that holds the delimiter.',
    });
  }
  if (levels[0] === '') {
    throw selectorError(text, word.span, 'missing-key', `${word.text} has no key`, {
      seen: word.text,
      expected: `${engine.letter}@key${delimiter}value`,
      suggestion: `Write the key before ${delimiter}.`,
    });
  }
  // `G@note:""` says on purpose that the text is empty; `G@note:` is a slip.
  const isQuotedEmpty = by === 'glob' && !word.text.endsWith(delimiter);
  if (levels.at(-1) === '' && !isQuotedEmpty) throw missingFactValue(text, word, delimiter);
  if (by === 'glob') checkComparison(text, word, parts.slice(1));
  else checkFactRegex(text, word, term);
  return term;
}

function missingDelimiter(text: string, word: WordToken, engine: Engine, delimiter: string): Error {
  const key = word.text.slice(word.prefix?.length ?? 0);
  const prefix = word.text.slice(0, word.prefix?.length ?? 0);
  const hasQuotedDelimiter = word.characters.some((character) => character.value === delimiter);
  const any = engine.isRegex ? '.*' : '*';
  return selectorError(text, word.span, 'missing-delimiter', `${word.text} has a key but no value`, {
    seen: word.text,
    expected: `${prefix}key${delimiter}value`,
    suggestion: hasQuotedDelimiter
      ? `Put the quotes around the value alone: ${prefix}key${delimiter}"some value".`
      : `Write ${prefix}${key === '' ? 'key' : key}${delimiter}${any} for every device that has it at all.`,
  });
}

function missingFactValue(text: string, word: WordToken, delimiter: string): Error {
  return selectorError(text, word.span, 'missing-value', `${word.text} has no value after the last ${delimiter}`, {
    seen: word.text,
    expected: `${word.text}value`,
    suggestion: `Write ${word.text}* for any value or ${word.text}"" for the empty text; quote a value that ends in ${delimiter}.`,
  });
}

function checkComparison(text: string, word: WordToken, parts: WordCharacter[][]): void {
  for (const part of parts) {
    const plain = part.map((character) => (character.mode === 'plain' ? character.value : '"')).join('');
    if (!comparison.test(plain)) continue;
    throw selectorError(text, word.span, 'no-comparison', 'values are matched as globs, not compared', {
      seen: word.text,
      expected: 'a glob such as 2.1.*',
      suggestion: 'Quote the value if it really starts with this sign.',
    });
  }
}

function checkedRegex(text: string, word: WordToken, source: string): string {
  try {
    compileRegex(source, { ignoreCase: false });
    return source;
  } catch (error) {
    throw badRegex(text, word, error);
  }
}

function checkFactRegex(text: string, word: WordToken, term: FactTerm): void {
  try {
    valueRegexes(term);
  } catch (error) {
    throw badRegex(text, word, error);
  }
}

function badRegex(text: string, word: WordToken, error: unknown): unknown {
  if (!(error instanceof RegexSyntaxError)) return error;
  return selectorError(text, word.span, 'bad-regex', `not a regular expression: ${error.message}`, {
    seen: word.text,
    expected: 'RE2 syntax: https://github.com/google/re2/wiki/Syntax',
    suggestion: regexAdvice(error.message),
    cause: error,
  });
}

function regexAdvice(problem: string): string {
  if (problem.startsWith('lookaround')) return 'Combine terms instead: E@^web and not E@.*test.';
  if (problem.startsWith('missing closing')) return 'Quote a regex that holds blanks or a lone parenthesis: E@"(a b)".';
  return 'Escape a plain character with a backslash; .* is any text.';
}

function split(characters: WordCharacter[], delimiter: string): WordCharacter[][] {
  const parts: WordCharacter[][] = [[]];
  for (const character of characters) {
    if (character.mode === 'plain' && character.value === delimiter) parts.push([]);
    else parts.at(-1)?.push(character);
  }
  return parts;
}

function globOf(characters: WordCharacter[]): string {
  return characters.map(({ value, mode }) => (mode === 'escaped' ? escapeInGlob(value) : value)).join('');
}

/** In a regex the backslash is the regex's own. */
function regexOf(characters: WordCharacter[]): string {
  return characters.map(({ value, mode }) => (mode === 'escaped' ? `\\${value}` : value)).join('');
}
