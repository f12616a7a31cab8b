import { FlotillaError } from '../error.ts';
import { distributionOf, parsePlace, type Distribution } from './distribution.ts';
import { engines } from './engine.ts';
import type { Target } from './evaluate.ts';
import { writeLiteral } from './format.ts';
import type { GroupSource } from './group.ts';
import { isBlank, tokenize } from './lexer.ts';

/** What completions are made of. */
export interface CompletionFleet {
  targets(): Iterable<Target>;
  /** In order. */
  ids(): Iterable<string>;
  groups: GroupSource;
}

/** More than a person reads. */
const maxCandidates = 200;
const factWord = /^([GIPJ])([^\p{L}\p{N}\s]?)@(.*)$/su;

/**
 * Whole texts that begin with `text`, a selector that is being typed: the word at its end goes on as an id, an engine,
 * a key, a value, a group or an operator, as its place allows. Empty for what it can't make sense of.
 */
export function completeSelector(text: string, fleet: CompletionFleet): string[] {
  const start = wordStart(text);
  const [head, word] = [text.slice(0, start), text.slice(start)];
  const candidates: string[] = [];
  for (const candidate of candidatesFor(head, word, fleet)) {
    if (!candidate.startsWith(word)) continue;
    candidates.push(head + candidate);
    if (candidates.length === maxCandidates) break;
  }
  return candidates;
}

/** Behind the last blank or parenthesis that stands outside quotes. */
function wordStart(text: string): number {
  let start = 0;
  let quote: string | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\') at += 1;
    else if (quote !== undefined) quote = character === quote ? undefined : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === '(' || isBlank(character)) start = at + 1;
  }
  return start;
}

function* candidatesFor(head: string, word: string, fleet: CompletionFleet): Generator<string> {
  if (endsInTerm(head)) return yield* ['and ', 'or ', 'not '];
  const fact = factWord.exec(word);
  if (fact !== null) return yield* factCandidates(fact, fleet);
  if (word.startsWith('N@')) {
    for (const name of fleet.groups.names()) yield `N@${name}`;
  } else if (word.startsWith('L@')) {
    const given = word.slice(0, Math.max(word.lastIndexOf(',') + 1, 2));
    for (const id of fleet.ids()) yield given + id;
  } else {
    for (const { letter } of engines) yield `${letter}@`;
    if (word !== '' || head === '') yield* fleet.ids();
    yield 'not ';
  }
}

function* factCandidates([, letter = '', mark = '', rest = '']: string[], fleet: CompletionFleet): Generator<string> {
  const delimiter = mark === '' ? ':' : mark;
  const given = rest.slice(0, rest.lastIndexOf(delimiter) + 1);
  const prefix = `${letter}${mark}@${given}`;
  const place = `${'GP'.includes(letter) ? 'G' : 'I'}${mark}@${given.slice(0, -1)}`;
  const found = distribution(place, fleet);
  for (const key of found.keys) yield `${prefix}${writeLiteral(key, delimiter)}${delimiter}`;
  // A regex is not one of the values.
  if (letter === 'P' || letter === 'J') return;
  for (const { value } of found.values) yield prefix + writeLiteral(value === null ? 'none' : String(value), delimiter);
}

function distribution(text: string, fleet: CompletionFleet): { keys: string[]; values: Distribution['values'] } {
  try {
    const { keys, values } = distributionOf(fleet.targets(), parsePlace(text), maxCandidates);
    return { keys: keys.map(({ key }) => key), values };
  } catch (error) {
    if (error instanceof FlotillaError) return { keys: [], values: [] };
    throw error;
  }
}

/** Then an operator follows. */
function endsInTerm(head: string): boolean {
  try {
    const last = tokenize(head).at(-2);
    if (last?.kind === 'word') return last.isQuoted || !/^(?:and|or|not)$/u.test(last.text);
    return last?.kind === 'close';
  } catch (error) {
    if (error instanceof FlotillaError) return false;
    throw error;
  }
}
