import { read } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { FlotillaError } from '../../error.ts';
import { ByteReader } from '../archive/byte-reader.ts';

const readDescriptor = promisify(read);
const chunkBytes = 64 * 1024;
const retryMs = 2;

/** Standard input as it comes. Nothing is read ahead: what is not asked for stays in the pipe. */
export async function* standardInput(): AsyncGenerator<Buffer, void> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    try {
      const { bytesRead } = await readDescriptor(0, buffer, 0, chunkBytes, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return;
      if (code !== 'EAGAIN') throw inputError('Error reading stdin');
      await wait(retryMs); // a pipe that does not block, and is empty
    }
  }
}

/** Takes the frames apart: u32 big-endian length and the bytes, again and again; length 0 ends. */
export async function* deframe(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  const reader = new ByteReader(source);
  for (;;) {
    const head = await reader.peek(4);
    if (head.length < 4) throw inputError('Error reading stdin');
    let left = (await reader.exactly(4, 'a frame')).readUInt32BE(0);
    if (left === 0) return;
    while (left > 0) {
      const bytes = await reader.some(left);
      if (!bytes) throw inputError('Received EOF even though framing indicated more bytes');
      left -= bytes.length;
      yield bytes;
    }
  }
}

export async function drainStandardInput(): Promise<void> {
  try {
    for await (const chunk of standardInput()) void chunk;
  } catch {
    // Closed or broken: the other side is gone, which is what is waited for.
  }
}

function inputError(message: string): FlotillaError {
  return new FlotillaError('failed', 'firmware-input-broken', message);
}
