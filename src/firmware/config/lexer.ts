import { configError, type ByteString, type Place, type SourceText } from './source-text.ts';
import type { VariableSet } from './variable.ts';

export type Punctuation = '{' | '}' | '(' | ')' | '=' | '+=' | ',';

export type Token =
  | { readonly kind: 'string'; readonly value: ByteString; readonly place: Place }
  | { readonly kind: 'punctuation'; readonly value: Punctuation; readonly place: Place }
  | { readonly kind: 'comment'; readonly place: Place }
  | { readonly kind: 'end'; readonly place: Place };

/** fwup's own limit on include inside include. */
const maxIncludeDepth = 10;

const bareString = /[^ #"'\t\n\r={}()+,*]+/y;
const singleCharEscape: Record<string, string> = {
  n: '\n', r: '\r', b: '\b', f: '\f', a: '\x07', e: '\x1b', t: '\t', v: '\v',
}; // prettier-ignore

/**
 * Tokens of the configuration language (libconfuse's rules). Pulled one at a time: `${NAME}` is replaced when its
 * token is read, so a `define` holds for everything after its closing parenthesis and nothing before. An included
 * text is read as if it stood in place of its include(…).
 */
export class Lexer {
  readonly #stack: { source: SourceText; at: number }[];
  readonly #variables: VariableSet;

  constructor(source: SourceText, variables: VariableSet) {
    this.#stack = [{ source, at: 0 }];
    this.#variables = variables;
  }

  /** The text being read now: the file, or the innermost included one. */
  get source(): SourceText {
    return this.#top.source;
  }

  include(source: SourceText, at: Place): void {
    if (this.#stack.length > maxIncludeDepth) {
      throw configError(at, 'includes are nested too deeply', { expected: `at most ${maxIncludeDepth} levels` });
    }
    this.#stack.push({ source, at: 0 });
  }

  next(): Token {
    for (;;) {
      const top = this.#top;
      const { text } = top.source;
      while (/[ \t\n\r]/.test(text[top.at] ?? '')) top.at++;
      if (top.at < text.length) return this.#token(text);
      if (this.#stack.length === 1) return { kind: 'end', place: this.#here() };
      this.#stack.pop();
    }
  }

  get #top(): { source: SourceText; at: number } {
    return this.#stack[this.#stack.length - 1]!;
  }

  #here(offset = this.#top.at): Place {
    return { source: this.#top.source, offset };
  }

  #token(text: ByteString): Token {
    const top = this.#top;
    const place = this.#here();
    const two = text.slice(top.at, top.at + 2);
    const char = two[0]!;
    if (char === '#' || two === '//' || two === '/*') return this.#comment(text, two, place);
    if (two === '+=') return this.#punctuation('+=', place);
    if (char === '"' || char === "'") return { kind: 'string', value: this.#quoted(text, char, place), place };
    if (two === '${') {
      const value = this.#substitution(text, place);
      return { kind: 'string', value, place };
    }
    if ('{}()=,'.includes(char)) return this.#punctuation(char as Punctuation, place);
    bareString.lastIndex = top.at;
    const match = bareString.exec(text);
    if (!match) {
      throw configError(place, `unexpected '${char}'`, { suggestion: 'put the value in double quotes' });
    }
    if (match[0].includes('\0')) throw configError(place, 'a NUL byte cannot stand in a configuration');
    top.at += match[0].length;
    return { kind: 'string', value: match[0], place };
  }

  #punctuation(value: Punctuation, place: Place): Token {
    this.#top.at += value.length;
    return { kind: 'punctuation', value, place };
  }

  #comment(text: ByteString, two: string, place: Place): Token {
    const top = this.#top;
    if (two === '/*') {
      const end = text.indexOf('*/', top.at + 2);
      if (end < 0) throw configError(place, 'a comment that is not closed', { expected: '*/' });
      top.at = end + 2;
    } else {
      const end = text.indexOf('\n', top.at);
      top.at = end < 0 ? text.length : end;
    }
    return { kind: 'comment', place };
  }

  /** Standing at `${`; leaves the position after `}`. */
  #substitution(text: ByteString, place: Place): ByteString {
    const end = text.indexOf('}', this.#top.at);
    if (end < 0) throw configError(place, 'a variable that is not closed', { expected: '}' });
    const inside = text.slice(this.#top.at + 2, end);
    this.#top.at = end + 1;
    return this.#variables.substitute(inside);
  }

  #quoted(text: ByteString, quote: string, place: Place): ByteString {
    const top = this.#top;
    top.at++;
    let value = '';
    for (;;) {
      const char = text[top.at];
      if (char === undefined) throw configError(place, 'a string that is not closed', { expected: quote });
      if (char === quote) {
        top.at++;
        return value;
      }
      if (char === '\0') throw configError(this.#here(), 'a NUL byte cannot stand in a string');
      if (char === '\\') value += quote === '"' ? this.#escape(text) : this.#singleQuotedEscape(text);
      else if (quote === '"' && text.startsWith('${', top.at)) value += this.#substitution(text, this.#here());
      else {
        value += char;
        top.at++;
      }
    }
  }

  #singleQuotedEscape(text: ByteString): ByteString {
    const next = text[this.#top.at + 1] ?? '';
    this.#top.at += 2;
    if (next === '\n') return '';
    return next === "'" || next === '\\' ? next : `\\${next}`;
  }

  #escape(text: ByteString): ByteString {
    const top = this.#top;
    const place = this.#here();
    const digits = /^\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2}))/.exec(text.slice(top.at, top.at + 4));
    if (digits) {
      top.at += digits[0].length;
      const code = digits[1] === undefined ? Number.parseInt(digits[2]!, 16) : Number.parseInt(digits[1], 8);
      if (code === 0 || code > 0xff) {
        throw configError(place, `the escape ${digits[0]} is not a byte`, { expected: 'a value from 1 to 255' });
      }
      return String.fromCharCode(code);
    }
    const next = text[top.at + 1] ?? '';
    top.at += 2;
    if (next === '\n') return '';
    return singleCharEscape[next] ?? next;
  }
}
