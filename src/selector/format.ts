import { isDeepStrictEqual } from 'node:util';

import type { FactTerm, SelectorNode, Term } from './ast.ts';
import { isBlank, tokenize } from './lexer.ts';
import { parseTerm } from './term.ts';

/** Prints a tree as text that parses to the same tree, quoting only where needed. */
export function formatNode(node: SelectorNode): string {
  switch (node.kind) {
    case 'and':
      return node.operands.map((operand) => formatOperand(operand, ['or', 'and'])).join(' and ');
    case 'or':
      return node.operands.map((operand) => formatOperand(operand, ['or'])).join(' or ');
    case 'not':
      return `not ${formatOperand(node.operand, ['or', 'and', 'not'])}`;
    default:
      return formatTerm(node);
  }
}

function formatOperand(node: SelectorNode, weaker: readonly SelectorNode['kind'][]): string {
  // Blanks inside the parentheses keep it valid for Salt too.
  return weaker.includes(node.kind) ? `( ${formatNode(node)} )` : formatNode(node);
}

function formatTerm(term: Term): string {
  const plain = printTerm(term, (source) => source);
  return readsAs(plain, term) ? plain : printTerm(term, quoteIfNeeded);
}

/** `quote` gets the source of each part and the delimiter that must not stand bare in it. */
function printTerm(term: Term, quote: (source: string, delimiter: string) => string): string {
  switch (term.kind) {
    case 'id-glob':
      // Always quoted when not plain: it may look like an operator or an engine.
      return quote(term.pattern, '') === term.pattern ? term.pattern : quoted(term.pattern);
    case 'id-regex':
      return `E@${quote(term.source, '')}`;
    case 'id-list':
      return `L@${term.ids.map((id) => quote(quote === quoteIfNeeded ? escaped(id) : id, ',')).join(',')}`;
    case 'address':
      return `S@${term.network}`;
    case 'fact':
      return printFact(term, quote);
  }
}

function printFact(term: FactTerm, quote: (source: string, delimiter: string) => string): string {
  const letter = term.from === 'grains' ? (term.by === 'regex' ? 'P' : 'G') : term.by === 'regex' ? 'J' : 'I';
  const prefix = term.delimiter === ':' ? `${letter}@` : `${letter}${term.delimiter}@`;
  return prefix + term.levels.map((level) => quote(level, term.delimiter)).join(term.delimiter);
}

/** Ids of a list are plain text, not patterns: their backslashes are doubled. */
function escaped(id: string): string {
  return id.replaceAll('\\', '\\\\');
}

function readsAs(text: string, term: Term): boolean {
  try {
    const [word, end, ...others] = tokenize(text);
    if (word?.kind !== 'word' || end?.kind !== 'end' || others.length > 0) return false;
    if (!word.isQuoted && /^(?:and|or|not)$/iu.test(word.text)) return false;
    return isDeepStrictEqual(parseTerm(text, word), term);
  } catch {
    return false;
  }
}

function quoteIfNeeded(source: string, delimiter: string): string {
  const isSafe =
    source !== '' &&
    !/^(?:[<>]|!=|age\s*[<>])/u.test(source) &&
    Array.from(source).every(
      (character) => !isBlank(character) && !`()"'`.includes(character) && character !== delimiter,
    );
  return isSafe ? source : quoted(source);
}

/** Text in quotes; what holds both kinds of quote is made of several runs: `"it's "'"'"new"'"'`. */
function quoted(source: string): string {
  return source
    .split(/("+)/u)
    .filter((run, index) => run !== '' || (index === 0 && source === ''))
    .map((run) => (run.startsWith('"') ? `'${run}'` : `"${run}"`))
    .join('');
}
