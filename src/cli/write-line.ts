import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Waits for a slow reader, so that what it has not taken is not held in memory. */
export async function writeText(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}
