import { randomInt } from 'node:crypto';
import { FlotillaError } from '../error.ts';

// Without 0/o, 1/i/l: a fleet's id is read aloud and typed.
const letters = 'abcdefghjkmnpqrstuvwxyz';
const alphabet = `${letters}23456789`;
const suffixLength = 6;
const idLength = 10;
const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,23}[a-z0-9])?$/;

/** A new fleet id: ten random characters, or `<name>-` and six. */
export function createFleetId(name?: string): string {
  if (name === undefined) return pick(letters) + pickMany(idLength - 1);
  if (!namePattern.test(name)) {
    throw new FlotillaError('usage', 'fleet-name', 'this is no name for a fleet', {
      seen: JSON.stringify(name.slice(0, 80)),
      expected: 'one to 25 of a-z 0-9 - with a letter or digit at both ends',
    });
  }
  return `${name}-${pickMany(suffixLength)}`;
}

function pickMany(length: number): string {
  return Array.from({ length }, () => pick(alphabet)).join('');
}

function pick(from: string): string {
  return from[randomInt(from.length)] ?? '';
}
