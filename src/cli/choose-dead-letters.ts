import { Flags } from '@oclif/core';
import {
  deadLetterLayers,
  deadLetterStates,
  type CoordinatorClient,
  type DeadLetterOutcome,
  type DeadLetterQuery,
} from '../client/index.ts';
import { FlotillaError } from '../error.ts';
import { confirmTyped } from './confirm.ts';
import { defined } from './defined.ts';
import { plural } from './human.ts';
import { parseTime } from './time.ts';

const maxIds = 1_000;
const maxLetters = 100_000;

/** Which dead letters. */
export const deadLetterFilterFlags = {
  layer: Flags.string({ description: 'only of this layer', options: [...deadLetterLayers] }),
  device: Flags.string({ description: 'only of devices that match', helpValue: 'SELECTOR' }),
  type: Flags.string({ description: "only of this type; a glob, such as 'flotilla.*'", helpValue: 'GLOB' }),
  consumer: Flags.string({ description: 'only of this handler', helpValue: 'NAME' }),
  since: Flags.string({ description: 'failed since this time: ISO, or how long ago (2h)', helpValue: 'TIME' }),
};

export const deadLetterStateFlag = {
  state: Flags.string({ description: 'only in this state', options: [...deadLetterStates] }),
};

interface GivenFilter {
  layer?: string | undefined;
  device?: string | undefined;
  type?: string | undefined;
  consumer?: string | undefined;
  since?: string | undefined;
  state?: string | undefined;
}

export function readDeadLetterFilter(given: GivenFilter, nowMs: number): DeadLetterQuery {
  const { layer, device: selector, type, consumer, state } = given;
  return defined({ layer, selector, type, consumer, state, sinceMs: parseTime(given.since, '--since', nowMs) });
}

export interface Choice {
  words: readonly string[];
  filter: DeadLetterQuery;
  /** --all: everything that the filter leaves, once the number was confirmed. */
  all: boolean;
  yes: boolean;
  json: boolean;
  /** "replaying", "discarding". */
  doing: string;
}

/** The ids that are meant: those that were typed, or with --all every undecided letter that the filter leaves. */
export async function chooseDeadLetters(
  client: Pick<CoordinatorClient, 'deadLetters'>,
  { words, filter, all, yes, json, doing }: Choice,
): Promise<number[]> {
  const isFiltered = Object.keys(filter).length > 0;
  if (words.length > 0 ? all || isFiltered : !all) {
    throw new FlotillaError('usage', 'deadletter-which', 'say which: ids, or --all with or without a filter', {
      suggestion: 'flotilla deadletter list',
    });
  }
  if (words.length > 0) return words.map(readId);
  const letters = await client.deadLetters({ ...filter, state: 'new', limit: maxLetters });
  if (letters.length === 0)
    throw new FlotillaError('none-matched', 'deadletter-none-matched', 'no dead letter matches');
  await confirmTyped({
    warning: `${doing} ${plural(letters.length, 'dead letter')}`,
    answer: String(letters.length),
    yes,
    json,
  });
  return letters.map(({ id }) => id);
}

export function readId(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new FlotillaError('usage', 'deadletter-id', 'the id of a dead letter is a number', {
    seen: JSON.stringify(text),
    suggestion: 'flotilla deadletter list',
  });
}

/** In requests of a bounded size. */
export async function decideInParts(
  ids: readonly number[],
  decide: (ids: number[]) => Promise<DeadLetterOutcome>,
): Promise<DeadLetterOutcome> {
  const sum: DeadLetterOutcome = { done: [], failed: [] };
  for (let at = 0; at < ids.length; at += maxIds) {
    const part = await decide(ids.slice(at, at + maxIds));
    sum.done.push(...part.done);
    sum.failed.push(...part.failed);
  }
  return sum;
}
