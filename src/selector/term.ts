import { formatNetwork, parseNetwork, suggestNetwork } from './address.ts';
import type { ComparisonTerm, FactSource, FactTerm, SampleTerm, Term } from './ast.ts';
import { beginsComparison, beginsOtherSign, readComparison } from './comparison-syntax.ts';
import { findEngine, listEngines, type Engine, type EnginePrefix } from './engine.ts';
import { valueRegexes } from './fact-pattern.ts';
import { escapeInGlob } from './glob.ts';
import type { WordCharacter, WordToken } from './lexer.ts';
import { selectorLimit } from './limit.ts';
import { compileRegex, RegexSyntaxError } from './regex.ts';
import { selectorError, type Span } from './selector-error.ts';

/** Names of groups: they stand in expressions, in paths and on command lines, and hold no sign of the language. */
const groupName = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$/u;
/** Percent, exact to a device in a million. */
const percentAmount = /^\d{1,3}(?:\.\d{1,4})?$/u;
const countAmount = /^\d{1,8}$/u;

export function isGroupName(text: string): boolean {
  return groupName.test(text);
}

/** One word to one term. Everything that can be wrong with it is found here, without looking at any device. */
export function parseTerm(text: string, word: WordToken): Term {
  if (word.prefix?.amount !== undefined) return readSample(text, word, word.prefix.letter, word.prefix.amount);
  const engine = engineOf(text, word);
  if (engine === undefined) refuseStraySign(text, word);
  if (engine === undefined) return { kind: 'id-glob', pattern: requireValue(text, word, globOf(word.characters)) };
  switch (engine.letter) {
    case 'E':
      return { kind: 'id-regex', source: checkedRegex(text, word, requireValue(text, word, regexOf(word.characters))) };
    case 'L':
      return { kind: 'id-list', ids: listIds(text, word) };
    case 'S':
      return { kind: 'address', network: readNetwork(text, word) };
    default:
      return readFactOrComparison(text, word, engine);
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
        ? letter === 'R'
          ? 'There is no range server here: name a group with N@, or list ids with L@.'
          : 'Quote the word if it is part of an id.'
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

/** The name after `N@`. */
export function readGroupName(text: string, word: WordToken): string {
  engineOf(text, word);
  const name = requireValue(text, word, word.characters.map((character) => character.value).join(''));
  if (groupName.test(name)) return name;
  throw selectorError(text, word.span, 'bad-group-name', `${name} cannot be the name of a group`, {
    seen: name,
    expected: 'letters, digits, _ . and -, at most 63',
    suggestion: 'flotilla group list',
  });
}

function readSample(text: string, word: WordToken, sign: string, amount: string): SampleTerm {
  const by = sign === '%' ? 'percent' : 'count';
  const size = Number(amount);
  const isSize = by === 'percent' ? percentAmount.test(amount) && size <= 100 : countAmount.test(amount);
  if (isSize && size > 0) {
    return { kind: 'sample', by, amount: size, salt: word.characters.map((character) => character.value).join('') };
  }
  const span = { start: word.span.start, end: word.span.start + (word.prefix?.length ?? 0) };
  throw selectorError(text, span, 'bad-sample', `${sign}${amount}@ is not the size of a sample`, {
    seen: `${sign}${amount}@`,
    expected: by === 'percent' ? 'more than 0 and at most 100 per cent: %10@, %0.5@' : 'one device or more: #50@',
    suggestion: 'Write another sample with a word behind it: %10@blue.',
  });
}

/** No device's id starts so: as a glob it would match nothing, and under `not` everything. */
function refuseStraySign(text: string, word: WordToken): void {
  if (beginsComparison({ characters: word.characters, at: 0 })) {
    throw selectorError(text, word.span, 'stray-comparison', `${word.text} compares nothing`, {
      seen: word.text,
      expected: 'a comparison right behind its key: G@key:>=1 <3',
      suggestion: 'Quote the word if it is part of an id.',
    });
  }
  const [first] = word.characters;
  if (first?.mode === 'plain' && /[%#]/u.test(first.value)) {
    throw selectorError(text, word.span, 'bad-sample', `${word.text} is not a sample`, {
      seen: word.text,
      expected: '%10@ for ten per cent, #50@ for fifty devices',
      suggestion: 'Write an @ after the size.',
    });
  }
}

function readFactOrComparison(text: string, word: WordToken, engine: Engine): FactTerm | ComparisonTerm {
  const delimiter = word.prefix?.delimiter ?? ':';
  const at = engine.isRegex ? undefined : comparisonStart(text, word, delimiter);
  if (at === undefined) return readFact(text, word, engine, delimiter);
  const keys = split(word.characters.slice(0, at - 1), delimiter).map(globOf);
  checkLevels(text, word, engine, delimiter, [...keys, '']);
  const comparisons = [readComparison(text, word, at, delimiter)];
  return { kind: 'comparison', from: sourceOf(engine), delimiter, keys, comparisons };
}

/** The first place behind a delimiter where a comparison begins. */
function comparisonStart(text: string, word: WordToken, delimiter: string): number | undefined {
  const { characters } = word;
  for (const [index, { value, mode }] of characters.entries()) {
    if (mode !== 'plain' || value !== delimiter) continue;
    const place = { characters, at: index + 1, delimiter };
    if (beginsComparison(place)) return index + 1;
    const other = beginsOtherSign(place);
    if (other === undefined) continue;
    throw selectorError(text, word.span, 'bad-comparison', `${other} is not a sign`, {
      seen: word.text,
      expected: '<, <=, >, >= or !=; for equality the value alone',
      suggestion: 'Quote the value if it really begins with this sign.',
    });
  }
  return undefined;
}

function sourceOf(engine: Engine): FactSource {
  return 'GP'.includes(engine.letter) ? 'grains' : 'tags';
}

function readFact(text: string, word: WordToken, engine: Engine, delimiter: string): FactTerm {
  const by = engine.isRegex ? 'regex' : 'glob';
  const parts = split(word.characters, delimiter);
  const levels = parts.map(by === 'regex' ? regexOf : globOf);
  const term: FactTerm = { kind: 'fact', from: sourceOf(engine), by, delimiter, levels };
  checkLevels(text, word, engine, delimiter, levels);
  // `G@note:""` says on purpose that the text is empty; `G@note:` is a slip.
  const isQuotedEmpty = by === 'glob' && !word.text.endsWith(delimiter);
  if (levels.at(-1) === '' && !isQuotedEmpty) throw missingFactValue(text, word, delimiter);
  if (by === 'regex') checkFactRegex(text, word, term, parts);
  return term;
}

function checkLevels(text: string, word: WordToken, engine: Engine, delimiter: string, levels: string[]): void {
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

function checkedRegex(text: string, word: WordToken, source: string): string {
  try {
    compileRegex(source, { ignoreCase: false });
    return source;
  } catch (error) {
    throw badRegex(text, word, word.characters, error);
  }
}

function checkFactRegex(text: string, word: WordToken, term: FactTerm, parts: WordCharacter[][]): void {
  try {
    valueRegexes(term);
  } catch (error) {
    throw badRegex(text, word, parts.slice(1).flat(), error);
  }
}

/** @param characters where the fault is among */
function badRegex(text: string, word: WordToken, characters: WordCharacter[], error: unknown): unknown {
  if (!(error instanceof RegexSyntaxError)) return error;
  const span = faultySpan(characters, error.fragment) ?? word.span;
  return selectorError(text, span, 'bad-regex', `not a regular expression: ${error.message}`, {
    seen: word.text,
    expected: 'RE2 syntax: https://github.com/google/re2/wiki/Syntax',
    suggestion: regexAdvice(error.message),
    cause: error,
  });
}

/** Where the part that the regex engine complains of stands, if it stands in one place only. */
function faultySpan(characters: WordCharacter[], fragment: string): Span | undefined {
  if (fragment === '') return undefined;
  const starts: number[] = [];
  const source = characters.flatMap((character) => {
    const written = character.mode === 'escaped' ? `\\${character.value}` : character.value;
    for (let index = 0; index < written.length; index += 1) starts.push(character.start);
    return written;
  });
  const joined = source.join('');
  const at = joined.indexOf(fragment);
  if (at === -1 || joined.includes(fragment, at + 1)) return undefined;
  const last = characters.findLast(({ start }) => start === starts[at + fragment.length - 1]);
  const start = starts[at];
  if (last === undefined || start === undefined) return undefined;
  return { start, end: last.start + last.value.length + (last.mode === 'escaped' ? 1 : 0) };
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

/** The parts of a fact's word between delimiters, as globs. */
export function levelsOf(word: WordToken): string[] {
  return split(word.characters, word.prefix?.delimiter ?? ':').map(globOf);
}

function globOf(characters: WordCharacter[]): string {
  return characters.map(({ value, mode }) => (mode === 'escaped' ? escapeInGlob(value) : value)).join('');
}

/** In a regex the backslash is the regex's own. */
function regexOf(characters: WordCharacter[]): string {
  return characters.map(({ value, mode }) => (mode === 'escaped' ? `\\${value}` : value)).join('');
}
