import { FlotillaError, type ErrorDetail, type Position } from '../error.ts';

/** Columns of source shown around the caret; expressions can be one line of 10 kB. */
const excerptWidth = 72;
const wide =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|\p{Emoji_Presentation}/u;
const zeroWidth = /\p{Mark}/u;

/** A range of the source text in UTF-16 offsets. */
export interface Span {
  start: number;
  end: number;
}

/**
 * The error for a malformed expression: `usage`, with line, column (1-based, in characters) and a caret.
 * @param text the whole expression
 * @param span what is wrong; an empty span points between characters
 */
export function selectorError(
  text: string,
  span: Span,
  code: string,
  message: string,
  detail: Omit<ErrorDetail, 'position' | 'excerpt'> = {},
): FlotillaError {
  const { position, excerpt } = locate(text, span);
  return new FlotillaError('usage', `selector-${code}`, message, { ...detail, position, excerpt });
}

function locate(text: string, span: Span): { position: Position; excerpt: string } {
  const before = text.slice(0, span.start);
  const lineStart = Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r')) + 1;
  const rest = text.slice(lineStart).search(/[\r\n]/u);
  const lineEnd = rest === -1 ? text.length : lineStart + rest;
  const line = text.slice(0, span.start).split(/\r\n|\r|\n/u).length;

  const prefix = Array.from(text.slice(lineStart, span.start));
  const marked = Array.from(text.slice(span.start, Math.min(Math.max(span.end, span.start), lineEnd)));
  const suffix = Array.from(text.slice(Math.max(span.start, Math.min(span.end, lineEnd)), lineEnd));
  const shownMarked = marked.slice(0, excerptWidth);
  const room = Math.max(excerptWidth - shownMarked.length, 16);
  const cutBefore = prefix.length > room / 2;
  const shownPrefix = cutBefore ? ['…', ...prefix.slice(-Math.floor(room / 2))] : prefix;
  const shownSuffix = marked.length > shownMarked.length ? ['…'] : clip(suffix, room - shownPrefix.length);

  const source = visible([...shownPrefix, ...shownMarked, ...shownSuffix]);
  const carets = '^'.repeat(Math.max(1, columns(visible(shownMarked))));
  return {
    position: { line, column: prefix.length + 1 },
    excerpt: `${source}\n${' '.repeat(columns(visible(shownPrefix)))}${carets}`,
  };
}

function clip(characters: string[], room: number): string[] {
  return characters.length > room ? [...characters.slice(0, Math.max(room, 8)), '…'] : characters;
}

/** Control characters would break the caret line, or the reader's terminal. */
function visible(characters: string[]): string {
  return characters.map((character) => (/[\p{Cc}\p{Cf}\p{Cs}]/u.test(character) ? ' ' : character)).join('');
}

function columns(text: string): number {
  let count = 0;
  for (const character of text) count += zeroWidth.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return count;
}
