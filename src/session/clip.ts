import { Buffer } from 'node:buffer';
import { maxDetailBytes } from '../protocol/limit.ts';

/** At most 64 bytes of UTF-8, cut between characters. */
export function clip(text: string): string {
  let clipped = '';
  let bytes = 0;
  for (const character of text.toWellFormed()) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxDetailBytes) break;
    clipped += character;
  }
  return clipped;
}
