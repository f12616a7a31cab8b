import { isDeepStrictEqual } from 'node:util';

import type { FactTerm, SelectorNode, Term } from './ast.ts';
import { isBlank, isInvisible, tokenize } from './lexer.ts';
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
  return readsAs(plain, term) ? plain : printQuoted(term);
}

/** How a part is written: its source, and the delimiter that must not stand bare in it. */
type PrintPart = (source: string, delimiter: string) => string;

function printQuoted(term: Term): string {
  // A bare word may look like an operator or an engine, so it is quoted whatever it holds.
  if (term.kind === 'id-glob') return quoted(term.pattern);
  // Ids of a list are plain text, not patterns: their backslashes are doubled.
  if (term.kind === 'id-list') {
    return `L@${term.ids.map((id) => quoteIfNeeded(id.replaceAll('\\', '\\\\'), ',')).join(',')}`;
  }
  return printTerm(term, quoteIfNeeded);
}

function printTerm(term: Term, print: PrintPart): string {
  switch (term.kind) {
    case 'id-glob':
      return term.pattern;
    case 'id-regex':
      return `E@${print(term.source, '')}`;
    case 'id-list':
      return `L@${term.ids.join(',')}`;
    case 'address':
      return `S@${term.network}`;
    case 'fact':
      return printFact(term, print);
  }
}

function printFact(term: FactTerm, print: PrintPart): string {
  const letter = term.from === 'grains' ? (term.by === 'regex' ? 'P' : 'G') : term.by === 'regex' ? 'J' : 'I';
  const prefix = term.delimiter === ':' ? `${letter}@` : `${letter}${term.delimiter}@`;
  return prefix + term.levels.map((level) => print(level, term.delimiter)).join(term.delimiter);
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
      (character) =>
        !isBlank(character) && !isInvisible(character) && !`()"'`.includes(character) && character !== delimiter,
    );
  return isSafe ? source : quoted(source);
}

/** Text in quotes; what holds both kinds of quote is made of several runs: `"it's "'"'"new"'"'`. */
function quoted(source: string): string {
  const runs = source.match(/"+|(?:\\[^]|[^"])+/gu) ?? [''];
  return runs.map((run) => (run.startsWith('"') ? `'${run}'` : `"${run}"`)).join('');
}
