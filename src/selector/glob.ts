/**
 * Globs with the semantics of Python's fnmatch, plus a backslash that makes the next character plain.
 * `*` any run, `?` one character, `[a-z]`, `[!a-z]`; `[^a]` means ^ or a; an unclosed `[` is plain; a reversed
 * range holds nothing. Matching is by code point, of the whole text, and takes at most pattern × text steps
 * (a backtracking regex would take text to the power of the number of stars).
 */
export type GlobPredicate = (text: string) => boolean;

/** Characters that keep their backslash in a normalised pattern: they mean something here or inside `[…]`. */
const special = /[*?[\]\\!-]/u;

type GlobToken =
  | { kind: 'character'; codePoint: number }
  | { kind: 'one' }
  | { kind: 'run' }
  | { kind: 'class'; negated: boolean; ranges: [low: number, high: number][] };

interface PatternCharacter {
  value: string;
  plain: boolean;
}

/** `\x` as it stands in a pattern; a backslash before a character without meaning is dropped. */
export function escapeInGlob(character: string): string {
  return special.test(character) ? `\\${character}` : character;
}

/** Compiles to the cheapest test: equality, prefix, or the general matcher. */
export function compileGlob(pattern: string): GlobPredicate {
  const tokens = readTokens(pattern);
  const stars = tokens.filter((token) => token.kind === 'run').length;
  const onlyPlainAndRuns = tokens.every((token) => token.kind === 'character' || token.kind === 'run');
  if (onlyPlainAndRuns && stars === 0) {
    const literal = textOf(tokens);
    return (text) => text === literal;
  }
  if (onlyPlainAndRuns && stars === 1 && tokens.at(-1)?.kind === 'run') {
    const start = textOf(tokens);
    return (text) => text.startsWith(start);
  }
  return (text) => matchTokens(tokens, text);
}

/** The only text that the pattern matches, or undefined when it has wildcards. */
export function literalOf(pattern: string): string | undefined {
  const tokens = readTokens(pattern);
  return tokens.every((token) => token.kind === 'character') ? textOf(tokens) : undefined;
}

function textOf(tokens: GlobToken[]): string {
  return tokens.map((token) => (token.kind === 'character' ? String.fromCodePoint(token.codePoint) : '')).join('');
}

function readTokens(pattern: string): GlobToken[] {
  const characters = readCharacters(pattern);
  const tokens: GlobToken[] = [];
  let at = 0;
  for (let current = characters[at]; current !== undefined; current = characters[at]) {
    at += 1;
    if (!current.plain) tokens.push({ kind: 'character', codePoint: codePointOf(current) });
    else if (current.value === '*') {
      if (tokens.at(-1)?.kind !== 'run') tokens.push({ kind: 'run' });
    } else if (current.value === '?') tokens.push({ kind: 'one' });
    else if (current.value === '[') {
      const end = classEnd(characters, at);
      if (end === -1) tokens.push({ kind: 'character', codePoint: codePointOf(current) });
      else {
        tokens.push(readClass(characters.slice(at, end)));
        at = end + 1;
      }
    } else tokens.push({ kind: 'character', codePoint: codePointOf(current) });
  }
  return tokens;
}

function readCharacters(pattern: string): PatternCharacter[] {
  const characters: PatternCharacter[] = [];
  let isEscaped = false;
  for (const value of pattern) {
    if (value === '\\' && !isEscaped) isEscaped = true;
    else {
      characters.push({ value, plain: !isEscaped });
      isEscaped = false;
    }
  }
  if (isEscaped) characters.push({ value: '\\', plain: false });
  return characters;
}

/** Index of the closing bracket; one that comes first, or right after `!`, is a member. */
function classEnd(characters: PatternCharacter[], start: number): number {
  let at = start;
  if (isPlain(characters[at], '!')) at += 1;
  if (isPlain(characters[at], ']')) at += 1;
  while (at < characters.length && !isPlain(characters[at], ']')) at += 1;
  return at < characters.length ? at : -1;
}

function readClass(content: PatternCharacter[]): GlobToken {
  const negated = isPlain(content[0], '!');
  const members = negated ? content.slice(1) : content;
  const ranges: [number, number][] = [];
  let at = 0;
  for (let low = members[at]; low !== undefined; low = members[at]) {
    const high = members[at + 2];
    if (isPlain(members[at + 1], '-') && high !== undefined) {
      if (codePointOf(low) <= codePointOf(high)) ranges.push([codePointOf(low), codePointOf(high)]);
      at += 3;
    } else {
      ranges.push([codePointOf(low), codePointOf(low)]);
      at += 1;
    }
  }
  return { kind: 'class', negated, ranges };
}

function isPlain(character: PatternCharacter | undefined, value: string): boolean {
  return character !== undefined && character.plain && character.value === value;
}

function codePointOf(character: PatternCharacter): number {
  return character.value.codePointAt(0) ?? 0;
}

/** Two pointers; on a mismatch the last run takes one character more. Earlier runs never need to. */
function matchTokens(tokens: GlobToken[], text: string): boolean {
  let tokenAt = 0;
  let textAt = 0;
  let runAt = -1;
  let runTextAt = 0;
  while (textAt < text.length) {
    const codePoint = text.codePointAt(textAt) ?? 0;
    const token = tokens[tokenAt];
    if (token !== undefined && token.kind === 'run') {
      runAt = tokenAt;
      runTextAt = textAt;
      tokenAt += 1;
    } else if (token !== undefined && accepts(token, codePoint)) {
      tokenAt += 1;
      textAt += widthOf(codePoint);
    } else if (runAt !== -1) {
      runTextAt += widthOf(text.codePointAt(runTextAt) ?? 0);
      textAt = runTextAt;
      tokenAt = runAt + 1;
    } else return false;
  }
  while (tokens[tokenAt]?.kind === 'run') tokenAt += 1;
  return tokenAt === tokens.length;
}

function accepts(token: GlobToken, codePoint: number): boolean {
  if (token.kind === 'character') return token.codePoint === codePoint;
  if (token.kind === 'class') {
    return token.ranges.some(([low, high]) => low <= codePoint && codePoint <= high) !== token.negated;
  }
  return token.kind === 'one';
}

function widthOf(codePoint: number): number {
  return codePoint > 0xffff ? 2 : 1;
}

/** What every text that matches starts with, and whether that is all that is asked. */
export function leadingTextOf(pattern: string): { text: string; isAll: boolean } {
  const tokens = readTokens(pattern);
  const end = tokens.findIndex((token) => token.kind !== 'character');
  const isAll = end === tokens.length - 1 && tokens[end]?.kind === 'run';
  return { text: textOf(end === -1 ? tokens : tokens.slice(0, end)), isAll };
}
