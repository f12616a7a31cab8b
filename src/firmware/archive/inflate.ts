import { createInflateRaw } from 'node:zlib';
import type { ByteReader } from './byte-reader.ts';
import { MemberDamage } from './malformed.ts';
import { YoungBuffers } from './young-buffer.ts';

/**
 * fwup reads files 16 KiB at a time and inflates each piece into at most 256 KiB at once; what it reports of its
 * progress comes in these steps, so the beginning of a member is cut the same way. Behind it larger pieces are faster.
 * A piece bounds what one step can grow to (deflate expands at most 1032 times).
 */
const fwupStepBytes = 16 * 1024;
const stepBytes = 64 * 1024;
const cutLikeFwupBytes = 1024 * 1024;
const outputBytes = 256 * 1024;

/**
 * Inflates from `reader` up to the end of the deflate stream and gives back what lies behind it, so the compressed
 * size need not be known. `maxCompressedBytes` bounds the input where the header names it. Returns the bytes used.
 */
export async function* inflateFrom(reader: ByteReader, maxCompressedBytes: number): AsyncGenerator<Buffer, number> {
  const inflate = createInflateRaw({ chunkSize: outputBytes });
  const output: Buffer[] = [];
  const failures: Error[] = [];
  let wake: (() => void) | undefined;
  inflate.on('data', (chunk: Buffer) => output.push(chunk));
  inflate.on('error', (error) => failures.push(error));
  inflate.on('close', () => wake?.()); // after an error the callback of write is not certain
  const young = new YoungBuffers();
  let consumed = 0;
  /** Gives the next piece to the stream and waits until it is taken; tells how much of it was. */
  const step = async (): Promise<{ input: Buffer; used: number }> => {
    const size = consumed < cutLikeFwupBytes ? fwupStepBytes - (reader.offset % fwupStepBytes) : stepBytes;
    const input = await reader.some(Math.min(size, maxCompressedBytes - consumed));
    if (input === undefined) {
      throw new MemberDamage('the archive ends inside the compressed data', 'ZIP decompression failed (-5)');
    }
    await new Promise<void>((resolve) => {
      wake = resolve;
      inflate.write(input, () => resolve());
    });
    if (failures[0]) {
      throw new MemberDamage(`decompression failed (${failures[0].message})`, 'ZIP decompression failed (-3)');
    }
    const used = inflate.bytesWritten - consumed; // counts what the stream took, not what it was given
    consumed += used;
    return { input, used };
  };
  let next = step();
  try {
    for (;;) {
      const { input, used } = await next;
      const pieces = [...inPieces(output.splice(0))];
      for (const { length } of pieces) young.made(length);
      const isEnd = used < input.length || consumed === maxCompressedBytes;
      if (isEnd) {
        if (used < input.length) reader.unread(input.subarray(used));
        yield* pieces;
        return consumed; // sizes and CRC tell whether it was all
      }
      next = step(); // while the consumer works on these
      next.catch(() => undefined); // told when its turn comes
      yield* pieces;
    }
  } finally {
    await next.catch(() => undefined);
    wake = undefined;
    inflate.destroy();
  }
}

/** What one piece of input gave, in pieces of `outputBytes` and a rest: the stream may have cut it elsewhere. */
function* inPieces(chunks: readonly Buffer[]): Generator<Buffer> {
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  if (chunks.length < 2 || (chunks.length === 2 && total > outputBytes && chunks[0]!.length === outputBytes)) {
    yield* chunks;
    return;
  }
  const all = Buffer.concat(chunks);
  for (let at = 0; at < all.length; at += outputBytes) yield all.subarray(at, at + outputBytes);
}
