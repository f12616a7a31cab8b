import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { FlotillaError } from '../../error.ts';
import { jsonRow } from '../../eventlog/index.ts';
import type { JobFileEvent } from '../../protocol/event.ts';
import { Lane, type Row } from '../../protocol/lane.ts';

/** Base64 of a piece and its head stay below what one event may hold. */
const pieceBytes = 131_072;

/** A file of at most `maxBytes`, as it was when it was read. Its size is what came: /proc and /sys tell none. */
export async function readWhole(path: string, maxBytes: number): Promise<Buffer> {
  // No link at the place itself is followed, and no device or pipe is waited for.
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const facts = await file.stat();
  if (!facts.isFile()) throw new FlotillaError('failed', 'path-not-a-file', `${path} is no file`);
  if (facts.size > maxBytes) throw tooLarge(path, `${facts.size} bytes`, maxBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(pieceBytes), 0, pieceBytes, null);
    if (bytesRead === 0) return Buffer.concat(chunks);
    bytes += bytesRead;
    if (bytes > maxBytes) throw tooLarge(path, 'more', maxBytes);
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

function tooLarge(path: string, seen: string, maxBytes: number): FlotillaError {
  return new FlotillaError(
    'failed',
    'file-too-large',
    `${path} has ${seen}, more than the ${maxBytes} bytes asked for`,
  );
}

export function digestOf(content: Buffer): { sha256: string; sizeBytes: number } {
  return { sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length };
}

/** The events that carry it; an empty file is one event too. */
export function fileRows(jobId: string, content: Buffer, timestampMs: number): { lane: Lane; row: Row }[] {
  const pieces = Math.max(1, Math.ceil(content.length / pieceBytes));
  return Array.from({ length: pieces }, (_, piece) => {
    const offset = piece * pieceBytes;
    const base64 = content.subarray(offset, offset + pieceBytes).toString('base64');
    const value: JobFileEvent = { jobId, offset, sizeBytes: content.length, base64 };
    return { lane: Lane.bulk, row: jsonRow({ type: 'flotilla.job-file', key: jobId, timestampMs, value }) };
  });
}
