import type { MessagePort } from 'node:worker_threads';
import { createBlake2b256 } from './blake2b.ts';

/** Bytes of one slot of the memory that both threads share. */
export const slotBytes = 512 * 1024;
/** So much may come before the thread has started. */
export const slotCount = 6;

/** To the thread: hash so many bytes of a slot; or (no slot) tell the digest. */
export interface HashRequest {
  readonly slot?: number;
  readonly length?: number;
}

/** From it: the slot is free again; or the digest, hex. */
export type HashReply = { readonly slot: number } | { readonly digest: string };

/** The other end of ThreadHash. */
export async function serveHash(port: MessagePort, memory: SharedArrayBuffer): Promise<void> {
  const hash = await createBlake2b256();
  const answer = (reply: HashReply): void => port.postMessage(reply);
  port.on('message', ({ slot, length = 0 }: HashRequest) => {
    if (slot === undefined) {
      answer({ digest: hash.digest('hex') });
      return;
    }
    hash.update(new Uint8Array(memory, slot * slotBytes, length));
    answer({ slot });
  });
}
