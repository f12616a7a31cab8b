import { isDeepStrictEqual } from 'node:util';

import type { ComparisonTerm, FactTerm, SelectorNode, Term } from './ast.ts';
import { escapeInGlob } from './glob.ts';
import { isBlank, isInvisible } from './lexer.ts';
import { parseExpression } from './parser.ts';

/** Prints a tree as text that parses to the same tree, quoting only where needed. */
export function formatNode(node: SelectorNode): string {
  switch (node.kind) {
    case 'and':
      return node.operands.map((operand) => formatOperand(operand, ['or', 'and'])).join(' and ');
    case 'or':
      return node.operands.map((operand) => formatOperand(operand, ['or'])).join(' or ');
    case 'not':
      return `not ${formatOperand(node.operand, ['or', 'and', 'not'])}`;
    case 'group':
      return `N@${node.name}`;
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
    return `L@${term.ids.map((id) => quoteIfNeeded(plainText(id), ',')).join(',')}`;
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
      return prefixOf(term, term.by) + printLevels(term.levels, term.delimiter, print);
    case 'comparison':
      return prefixOf(term, 'glob') + printLevels(term.keys, term.delimiter, print) + printComparisons(term, print);
    case 'sample':
      return `${term.by === 'percent' ? '%' : '#'}${term.amount}@${term.salt === '' ? '' : print(plainText(term.salt), '')}`;
  }
}

function prefixOf({ from, delimiter }: FactTerm | ComparisonTerm, by: FactTerm['by']): string {
  const letter = from === 'grains' ? (by === 'regex' ? 'P' : 'G') : by === 'regex' ? 'J' : 'I';
  return delimiter === ':' ? `${letter}@` : `${letter}${delimiter}@`;
}

function printLevels(levels: string[], delimiter: string, print: PrintPart): string {
  return levels.map((level) => print(level, delimiter)).join(delimiter);
}

function printComparisons({ delimiter, comparisons }: ComparisonTerm, print: PrintPart): string {
  const printed = comparisons.map(
    ({ sign, of, operand }) => `${of === 'age' ? 'age' : ''}${sign}${print(plainText(operand), '')}`,
  );
  return delimiter + printed.join(' ');
}

/** Plain text where a pattern may stand: its backslashes are doubled. */
function plainText(text: string): string {
  return text.replaceAll('\\', '\\\\');
}

function readsAs(text: string, term: Term): boolean {
  try {
    return isDeepStrictEqual(
      parseExpression(text, () => term),
      term,
    );
  } catch {
    return false;
  }
}

/** A text as the value of a term, matching itself and nothing else. */
export function writeLiteral(text: string, delimiter: string): string {
  return quoteIfNeeded(Array.from(text, escapeInGlob).join(''), delimiter);
}

function quoteIfNeeded(source: string, delimiter: string): string {
  const isSafe =
    source !== '' &&
    !/^(?:(?:age)?(?:[<>]|!=)|=[=<>]|=~|~=|!~)/u.test(source) &&
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
