import { readEnginePrefix, findEngine, type EnginePrefix } from './engine.ts';
import { selectorLimit } from './limit.ts';
import { selectorError, type Span } from './selector-error.ts';

/**
 * One character of a word. `quoted`: stood in quotes. `escaped`: stood after a backslash. Both lose their meaning
 * for the lexer (blank, parenthesis, operator) and as a delimiter; wildcards keep theirs in quotes, not after a
 * backslash.
 */
export interface WordCharacter {
  value: string;
  mode: 'plain' | 'quoted' | 'escaped';
  start: number;
}

export interface WordToken {
  kind: 'word';
  span: Span;
  /** As written. */
  text: string;
  prefix?: EnginePrefix;
  /** What follows the prefix. */
  characters: WordCharacter[];
  /** Has quotes or backslashes: never an operator. */
  isQuoted: boolean;
}

export type Token = { kind: 'open' | 'close' | 'end'; span: Span } | WordToken;

/** Python's `str.split()`, which is Salt's tokenizer: every Unicode blank. */
const blank = /\s/u;
/** Blanks for Python, not for JavaScript. */
const otherBlanks = '\u001C\u001D\u001E\u001F\u0085';
/** Never allowed, not even in quotes: controls, and halves of surrogate pairs, which UTF-8 cannot carry. */
const forbidden = /[\p{Cc}\p{Cs}]/u;
/** Zero-width and direction marks: pasted unseen they turn `not web-*` into everybody. */
const invisible = /\p{Cf}/u;

/** Splits an expression into words and parentheses. Throws on unclosed quotes and on characters that nobody sees. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const character = characterAt(text, at);
    if (isBlank(character)) {
      at += character.length;
      continue;
    }
    // `G(@os(Debian` takes the parenthesis as delimiter, but a term never starts with one.
    if (character === '(' || character === ')') {
      tokens.push({ kind: character === '(' ? 'open' : 'close', span: { start: at, end: at + 1 } });
      at += 1;
      continue;
    }
    const word = readWord(text, at);
    tokens.push(word);
    at = word.span.end;
  }
  tokens.push({ kind: 'end', span: { start: text.length, end: text.length } });
  return tokens;
}

function readWord(text: string, start: number): WordToken {
  const prefix = readEnginePrefix(text.slice(start, start + 64));
  const delimiter = prefix?.delimiter;
  const isRegex = prefix !== undefined && findEngine(prefix.letter)?.isRegex === true;
  const nesting = isRegex ? new RegexNesting() : undefined;
  const characters: WordCharacter[] = [];
  let at = start + (prefix?.length ?? 0);
  let quote: { mark: string; start: number } | undefined;
  let isQuoted = false;

  while (at < text.length) {
    const value = characterAt(text, at);
    if (isForbidden(value) || (quote === undefined && isInvisible(value))) throw unprintable(text, at, value);
    const next = at + value.length;
    if (quote === undefined && value === delimiter) {
      characters.push({ value, mode: 'plain', start: at });
    } else if (value === '\\') {
      const escaped = next < text.length ? characterAt(text, next) : '';
      if (escaped === '' || (quote === undefined && isLineBreak(escaped))) {
        throw danglingBackslash(text, at);
      }
      if (isForbidden(escaped)) throw unprintable(text, next, escaped);
      characters.push({ value: escaped, mode: 'escaped', start: at });
      nesting?.escaped();
      isQuoted = true;
      at = next + escaped.length;
      continue;
    } else if (quote !== undefined) {
      if (value === quote.mark) quote = undefined;
      else characters.push({ value, mode: 'quoted', start: at });
      if (quote !== undefined) nesting?.escaped();
    } else if (value === '"' || value === "'") {
      quote = { mark: value, start: at };
      isQuoted = true;
    } else if (isBlank(value)) {
      break;
    } else if (value === '(' || value === ')') {
      if (nesting === undefined || !nesting.accepts(value)) break;
      characters.push({ value, mode: 'plain', start: at });
    } else {
      nesting?.accepts(value);
      characters.push({ value, mode: 'plain', start: at });
    }
    at = next;
  }
  if (quote !== undefined) throw unclosedQuote(text, quote);
  const span = { start, end: at };
  const word: WordToken = { kind: 'word', span, text: text.slice(start, at), characters, isQuoted };
  return prefix === undefined ? word : { ...word, prefix };
}

/** Tells a regex's own parentheses from those around the term: `(E@(web|gw)[)]$)`. */
class RegexNesting {
  #depth = 0;
  /** -1 outside `[…]`, otherwise how many characters of it were seen. */
  #inClass = -1;

  escaped(): void {
    if (this.#inClass >= 0) this.#inClass += 1;
  }

  /** False when the character closes a parenthesis that the regex did not open. */
  accepts(value: string): boolean {
    if (this.#inClass >= 0) {
      if (value === ']' && this.#inClass > 0) this.#inClass = -1;
      else if (value !== '^' || this.#inClass > 0) this.#inClass += 1;
    } else if (value === '[') this.#inClass = 0;
    else if (value === '(') this.#depth += 1;
    else if (value === ')') {
      if (this.#depth === 0) return false;
      this.#depth -= 1;
    }
    return true;
  }
}

export function isBlank(character: string): boolean {
  return (character !== '\uFEFF' && blank.test(character)) || otherBlanks.includes(character);
}

export function isInvisible(character: string): boolean {
  return invisible.test(character);
}

function isForbidden(character: string): boolean {
  return forbidden.test(character) && !isBlank(character);
}

function isLineBreak(character: string): boolean {
  return character === '\n' || character === '\r';
}

function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}

function unprintable(text: string, at: number, value: string): Error {
  const code = `U+${(value.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  const span = { start: at, end: at + value.length };
  return selectorError(text, span, 'unprintable', `the character ${code} cannot be seen`, {
    seen: code,
    expected: 'printable text',
    suggestion: isInvisible(value)
      ? 'Remove it, or quote it if it is meant.'
      : 'Type the selector again, do not paste it.',
  });
}

function danglingBackslash(text: string, at: number): Error {
  return selectorError(text, { start: at, end: at + 1 }, 'dangling-backslash', 'a backslash with nothing after it', {
    seen: '\\',
    expected: 'a character after the backslash',
    suggestion: 'Write \\\\ for a backslash itself.',
  });
}

function unclosedQuote(text: string, quote: { mark: string; start: number }): Error {
  const seen = text.slice(quote.start, quote.start + 20);
  return selectorError(
    text,
    { start: quote.start, end: quote.start + 1 },
    'unclosed-quote',
    `a ${quote.mark} that is never closed`,
    {
      seen,
      expected: `a closing ${quote.mark}`,
      suggestion: `Close the quote, or write \\${quote.mark} for the character itself.`,
    },
  );
}

/** Refuses before any work what is too long to be meant. */
export function checkLength(text: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= selectorLimit.maxExpressionBytes) return;
  throw selectorError(text.slice(0, 200), { start: 0, end: 0 }, 'too-long', 'the selector is too long', {
    seen: `${bytes} bytes`,
    expected: `at most ${selectorLimit.maxExpressionBytes} bytes`,
    suggestion: 'Tag the devices (`flotilla device tag`) and select by the tag.',
  });
}
