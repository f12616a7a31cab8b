import { open } from 'node:fs/promises';
import type { SlotImage } from '../updater/update.ts';

const chunkBytes = 1 << 20;

/** Whether the destination still holds every byte of these images. Reads in constant memory. */
export async function imagesMatch(
  destination: string,
  images: readonly SlotImage[],
  signal?: AbortSignal,
): Promise<boolean> {
  const { createBLAKE2b } = await import('hash-wasm'); // for this alone
  const handle = await open(destination, 'r');
  try {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (const { runs, blake2b256 } of images) {
      const hash = await createBLAKE2b(256);
      for (const { offsetBytes, lengthBytes } of runs) {
        for (let done = 0; done < lengthBytes;) {
          signal?.throwIfAborted();
          const { bytesRead } = await handle.read(
            buffer,
            0,
            Math.min(chunkBytes, lengthBytes - done),
            offsetBytes + done,
          );
          if (bytesRead === 0) return false;
          hash.update(buffer.subarray(0, bytesRead));
          done += bytesRead;
        }
      }
      if (hash.digest('hex') !== blake2b256) return false;
    }
    return true;
  } finally {
    await handle.close();
  }
}
