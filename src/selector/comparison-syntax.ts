import type { Comparison, ComparisonSign } from './ast.ts';
import type { WordCharacter, WordToken } from './lexer.ts';
import { isQuantity, readDuration, readQuantity } from './quantity.ts';
import { selectorError } from './selector-error.ts';

/** What begins a comparison when it stands bare where a value could: `>=5`, `!=x`, `age<7d`. */
const start = /^(age)?(<=|>=|!=|<|>)/u;
/** Signs of other languages; as a glob they would match nothing, and under `not` everything. */
const otherSign = /^(?:=[=<>]|=~|~=|!~)/u;

/** A place in a word where a comparison may begin. The delimiter of the term, if it has one, is never part of a sign. */
export interface ComparisonPlace {
  characters: readonly WordCharacter[];
  at: number;
  delimiter?: string;
}

/** Quoted and escaped signs are plain text. */
export function beginsComparison(place: ComparisonPlace): boolean {
  return start.test(bareText(place));
}

export function beginsOtherSign(place: ComparisonPlace): string | undefined {
  return otherSign.exec(bareText(place))?.[0];
}

/** As many characters as any sign has, as they were typed, until one that is quoted. */
function bareText({ characters, at, delimiter }: ComparisonPlace): string {
  let text = '';
  for (const { value, mode } of characters.slice(at, at + 5)) {
    if (mode !== 'plain' || value === delimiter) break;
    text += value;
  }
  return text;
}

/** Reads the comparison that begins at `at` and takes the rest of the word. */
export function readComparison(text: string, word: WordToken, at = 0, delimiter?: string): Comparison {
  const place = { characters: word.characters, at };
  const match = start.exec(bareText(delimiter === undefined ? place : { ...place, delimiter }));
  if (match === null) throw new Error('no comparison begins here');
  const sign = match[2] as ComparisonSign;
  const of = match[1] === undefined ? 'value' : 'age';
  const rest = word.characters.slice(at + match[0].length);
  const operand = rest.map((character) => character.value).join('');
  const span = { start: word.characters[at]?.start ?? word.span.start, end: word.span.end };
  const refuse = (message: string, expected: string, suggestion: string): Error =>
    selectorError(text, span, 'bad-comparison', message, { seen: match[0] + operand, expected, suggestion });

  if (rest.length === 0) {
    throw selectorError(text, span, 'missing-value', `nothing to compare with after ${match[0]}`, {
      seen: match[0],
      expected: `such as ${match[0]}${of === 'age' ? '7d' : '2.1.0'}`,
      suggestion: `Write the value right after ${match[0]}, without a blank; quote the sign if it is text.`,
    });
  }
  const [first] = rest;
  if (first?.mode === 'plain' && /[<>=!]/u.test(first.value)) {
    throw refuse(
      `${match[0]}${first.value} is not a sign`,
      '<, <=, >, >= or !=',
      'Quote a value that begins with a sign.',
    );
  }
  if (of === 'age') {
    if (sign === '!=') throw refuse('an age is never compared with !=', 'age<7d, age>1h', 'Write age< or age>.');
    if (readDuration(operand) === undefined) {
      throw refuse(
        `${operand} is not a duration`,
        'such as 90s, 5m, 12h, 7d, 2w or 1h30m',
        'Write a number and a unit.',
      );
    }
  } else if (sign === '!=') {
    if (rest.some(({ value, mode }) => mode === 'plain' && /[*?[]/u.test(value))) {
      throw refuse(
        '!= compares with one value, not with a glob',
        'a value',
        'Write not G@key:glob, or quote the sign.',
      );
    }
  } else if (!isQuantity(readQuantity(operand))) {
    throw refuse(
      `${operand} has no order`,
      'a number (512), a version (2.1.0) or a date (2026-11-26, 2026-11-26T08:00:00Z)',
      readDuration(operand) === undefined
        ? 'Quote the sign if it is text.'
        : `Write age${match[0]}${operand} for an age.`,
    );
  }
  return { sign, of, operand };
}
