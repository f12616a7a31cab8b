import { createInflateRaw } from 'node:zlib';
import type { ByteReader } from './byte-reader.ts';
import { MemberDamage } from './malformed.ts';

/** Input at a time: bounds what one step can grow to (deflate expands at most 1032 times). */
const stepBytes = 16 * 1024;

/**
 * Inflates from `reader` up to the end of the deflate stream and gives back what lies behind it, so the compressed
 * size need not be known. `maxCompressedBytes` bounds the input where the header names it. Returns the bytes used.
 */
export async function* inflateFrom(reader: ByteReader, maxCompressedBytes: number): AsyncGenerator<Buffer, number> {
  const inflate = createInflateRaw();
  const output: Buffer[] = [];
  const failures: Error[] = [];
  let wake: (() => void) | undefined;
  inflate.on('data', (chunk: Buffer) => output.push(chunk));
  inflate.on('error', (error) => failures.push(error));
  inflate.on('close', () => wake?.()); // after an error the callback of write is not certain
  let consumed = 0;
  try {
    for (;;) {
      const input = await reader.some(Math.min(stepBytes, maxCompressedBytes - consumed));
      if (input === undefined) throw new MemberDamage('the archive ends inside the compressed data');
      await new Promise<void>((resolve) => {
        wake = resolve;
        inflate.write(input, () => resolve());
      });
      if (failures[0]) throw new MemberDamage(`decompression failed (${failures[0].message})`);
      const used = inflate.bytesWritten - consumed; // counts what the stream took, not what it was given
      consumed += used;
      yield* output.splice(0);
      if (used < input.length) {
        reader.unread(input.subarray(used));
        return consumed;
      }
      if (consumed === maxCompressedBytes) return consumed; // sizes and CRC tell whether it was all
    }
  } finally {
    wake = undefined;
    inflate.destroy();
  }
}
