import type { SelectorNode } from './ast.ts';
import type { ErrorDetail, FlotillaError } from '../error.ts';
import { beginsComparison, readComparison } from './comparison-syntax.ts';
import { checkLength, tokenize, type Token, type WordToken } from './lexer.ts';
import { selectorLimit } from './limit.ts';
import { selectorError } from './selector-error.ts';
import { parseTerm, readGroupName } from './term.ts';

/** Makes the error for a group that cannot be had, placed where its name stands. */
export type RefuseGroup = (code: string, message: string, detail: ErrorDetail) => FlotillaError;

/** Gives the tree of a named group. */
export type FindGroup = (name: string, refuse: RefuseGroup) => SelectorNode;

type Operator = 'and' | 'or' | 'not';

/** What people write for an operator in other languages. */
const lookalikes = new Map<string, Operator>([
  ['&', 'and'],
  ['&&', 'and'],
  ['+', 'and'],
  ['|', 'or'],
  ['||', 'or'],
  [',', 'or'],
  ['!', 'not'],
  ['-', 'not'],
]);

/**
 * Parses a whole expression; grammar in docs/selectors.md. Recursion is bounded by the nesting of parentheses.
 * @throws FlotillaError `usage`, `selector-…`, with position and excerpt
 */
export function parseExpression(text: string, findGroup: FindGroup): SelectorNode {
  checkLength(text);
  const parser = new Parser(text, tokenize(text), findGroup);
  return parser.parseAll();
}

class Parser {
  readonly #text: string;
  readonly #tokens: Token[];
  readonly #findGroup: FindGroup;
  #at = 0;
  #depth = 0;

  constructor(text: string, tokens: Token[], findGroup: FindGroup) {
    this.#text = text;
    this.#tokens = tokens;
    this.#findGroup = findGroup;
  }

  parseAll(): SelectorNode {
    if (this.#peek().kind === 'end') throw this.#empty();
    const node = this.#or();
    const token = this.#peek();
    if (token.kind === 'close') {
      throw selectorError(this.#text, token.span, 'unopened-parenthesis', 'a ) that closes nothing', {
        seen: ')',
        expected: 'the end of the selector',
        suggestion: 'Remove it, quote it, or open a parenthesis before.',
      });
    }
    if (token.kind !== 'end') throw this.#missingOperator(token);
    return node;
  }

  #or(): SelectorNode {
    const operands = [this.#and()];
    while (this.#takeOperator('or')) operands.push(this.#and());
    return combine('or', operands);
  }

  /** `A not B` is `A and not B`. */
  #and(): SelectorNode {
    const operands = [this.#not()];
    for (;;) {
      if (this.#takeOperator('and')) operands.push(this.#not());
      else if (this.#operatorAt(this.#peek()) === 'not') operands.push(this.#not());
      else return combine('and', operands);
    }
  }

  #not(): SelectorNode {
    if (!this.#takeOperator('not')) return this.#primary();
    const token = this.#peek();
    if (this.#operatorAt(token) === 'not') {
      throw selectorError(this.#text, token.span, 'double-not', 'not not', {
        seen: 'not not',
        expected: 'a term or a parenthesis after not',
        suggestion: 'Remove both, or write not ( not … ).',
      });
    }
    return { kind: 'not', operand: this.#primary() };
  }

  #primary(): SelectorNode {
    const token = this.#peek();
    if (token.kind === 'open') return this.#parenthesised();
    if (token.kind !== 'word' || this.#operatorAt(token) !== undefined) throw this.#missingOperand(token);
    this.#at += 1;
    return token.prefix?.letter === 'N' ? this.#group(token) : this.#term(token);
  }

  #group(word: WordToken): SelectorNode {
    const name = readGroupName(this.#text, word);
    const refuse: RefuseGroup = (code, message, detail) => selectorError(this.#text, word.span, code, message, detail);
    return { kind: 'group', name, operand: this.#findGroup(name, refuse) };
  }

  /** A comparison goes on in the words behind it: `G@fw:version:>=2.1.0 <3`. */
  #term(word: WordToken): SelectorNode {
    const term = parseTerm(this.#text, word);
    if (term.kind !== 'comparison') return term;
    const comparisons = [...term.comparisons];
    for (let next = this.#peek(); next.kind === 'word' && continuesComparison(next); next = this.#peek()) {
      comparisons.push(readComparison(this.#text, next));
      this.#at += 1;
    }
    return { ...term, comparisons };
  }

  #parenthesised(): SelectorNode {
    const open = this.#peek();
    this.#at += 1;
    this.#depth += 1;
    if (this.#depth > selectorLimit.maxDepth) {
      throw selectorError(this.#text, open.span, 'too-deep', 'too many parentheses inside each other', {
        expected: `at most ${selectorLimit.maxDepth}`,
        suggestion: 'Chains of and, or chains of or, need no parentheses.',
      });
    }
    const next = this.#peek();
    if (next.kind === 'close') {
      const span = { start: open.span.start, end: next.span.end };
      throw selectorError(this.#text, span, 'empty-parentheses', 'nothing between the parentheses', {
        seen: this.#text.slice(span.start, span.end),
        expected: 'a selector',
        suggestion: 'Remove the parentheses, or write * for every device.',
      });
    }
    const node = this.#or();
    const close = this.#peek();
    if (close.kind === 'end') {
      throw selectorError(this.#text, open.span, 'unclosed-parenthesis', 'a ( that is never closed', {
        seen: '(',
        expected: ') before the end',
        suggestion: 'Add the ), or quote the parenthesis.',
      });
    }
    if (close.kind !== 'close') throw this.#missingOperator(close);
    this.#at += 1;
    this.#depth -= 1;
    return node;
  }

  #peek(): Token {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)];
    if (token === undefined) throw new Error('a token list always has an end');
    return token;
  }

  #takeOperator(operator: Operator): boolean {
    if (this.#operatorAt(this.#peek()) !== operator) return false;
    this.#at += 1;
    return true;
  }

  #operatorAt(token: Token): Operator | undefined {
    if (token.kind !== 'word' || token.isQuoted) return undefined;
    const lower = token.text.toLowerCase();
    if (lower !== 'and' && lower !== 'or' && lower !== 'not') return undefined;
    if (token.text !== lower) {
      throw selectorError(this.#text, token.span, 'capital-operator', `operators are written small: ${lower}`, {
        seen: token.text,
        expected: lower,
        suggestion: `Write ${lower}; quote the word ("${token.text}") if it is an id.`,
      });
    }
    return lower;
  }

  #empty(): Error {
    return selectorError(this.#text, { start: 0, end: 0 }, 'empty', 'the selector is empty', {
      seen: JSON.stringify(this.#text),
      expected: 'a selector such as web-* or G@site:fra',
      suggestion: 'Write * for every device.',
    });
  }

  /** `and`, `)` or the end where a term should stand. */
  #missingOperand(token: Token): Error {
    const before = this.#tokens[this.#at - 1];
    const operator = before?.kind === 'word' ? before.text : undefined;
    const seen = token.kind === 'end' ? 'the end' : this.#text.slice(token.span.start, token.span.end);
    const place = operator === undefined ? 'at the start' : `after ${operator}`;
    return selectorError(this.#text, token.span, 'missing-operand', `nothing to select ${place}`, {
      seen,
      expected: 'an id, a glob, a term such as G@site:fra, or (',
      suggestion: 'Add a term here or remove the operator; an id named like an operator is quoted: "and".',
    });
  }

  /** A second term, or `(`, where an operator should stand. */
  #missingOperator(token: Token): Error {
    const seen = this.#text.slice(token.span.start, token.span.end);
    const meant = lookalikes.get(seen);
    return selectorError(this.#text, token.span, 'missing-operator', 'two terms with no operator between them', {
      seen,
      expected: 'and, or, not, or the end',
      suggestion: meant === undefined ? this.#operatorAdvice(token) : `Write ${meant} for ${seen}.`,
    });
  }

  #operatorAdvice(token: Token): string {
    if (token.kind === 'word' && continuesComparison(token)) {
      return 'A comparison stands right behind its key, without a blank: G@key:>=1 <3.';
    }
    const before = this.#tokens[this.#at - 1];
    const mayHoldBlank = before?.kind === 'word' && before.prefix !== undefined && token.kind === 'word';
    if (mayHoldBlank && isWordWithoutPrefix(token)) {
      const joined = this.#text.slice(before.span.start + (before.prefix?.length ?? 0), token.span.end);
      const prefix = before.text.slice(0, before.prefix?.length ?? 0);
      const cut = joined.lastIndexOf(before.prefix?.delimiter ?? ':') + 1;
      if (joined.length <= 60 && !joined.includes('"')) {
        return `Put and or or between them, or quote a value with blanks: ${prefix}${joined.slice(0, cut)}"${joined.slice(cut)}".`;
      }
    }
    return 'Put and or or between them.';
  }
}

function continuesComparison(word: WordToken): boolean {
  return word.prefix === undefined && beginsComparison({ characters: word.characters, at: 0 });
}

function isWordWithoutPrefix(token: WordToken): boolean {
  return token.prefix === undefined;
}

function combine(kind: 'and' | 'or', operands: SelectorNode[]): SelectorNode {
  const [first, ...others] = operands;
  return first !== undefined && others.length === 0 ? first : { kind, operands };
}
