import { readSync } from 'node:fs';
import { FlotillaError } from '../../error.ts';
import { findMemoryCards, type MemoryCard } from './memory-card.ts';
import type { FwupOutput } from './output.ts';

/** The one memory card that is there; none or several are an error. */
export function chooseMemoryCard(output: FwupOutput): MemoryCard {
  const cards = findMemoryCards();
  if (cards.length === 1) return cards[0]!;
  if (cards.length === 0) throw noCard('No memory cards found. Try reinserting the card.');
  const list = cards.map(({ path, sizeBytes }) => `  ${path} (${shownSize(sizeBytes)})\n`).join('');
  output.diagnostic(`Too many possible memory cards found: \n${list}`);
  throw noCard('Automatic selection not possible. Specify one using the -d option.');
}

/** Asks before it is overwritten, unless -y was given. */
export function confirmMemoryCard(card: MemoryCard, input: string | undefined, output: FwupOutput): void {
  if (input === undefined) {
    throw noCard(`Cannot confirm use of ${card.path} when using stdin.\nRerun with -y if location is correct.`);
  }
  output.diagnostic(`Use ${shownSize(card.sizeBytes)} memory card found at ${card.path}? [y/N] `);
  const answer = Buffer.alloc(1);
  if (readSync(0, answer) !== 1 || !/[yY]/.test(answer.toString('latin1'))) throw noCard('aborted by user');
}

function shownSize(bytes: number): string {
  const gigabytes = bytes / 1e9;
  return gigabytes >= 1 ? `${gigabytes.toFixed(2)} GB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

function noCard(message: string): FlotillaError {
  return new FlotillaError('usage', 'firmware-no-card', message);
}
