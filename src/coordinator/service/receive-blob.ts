import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { FlotillaError, systemErrorCode } from '../../error.ts';

/** What a device fetches and verifies at a time. */
export const partBytes = 262_144;
const maxParts = 65_536;
export const maxBlobBytes = partBytes * maxParts;

/** A file that was received and is not kept yet: without `keep` it is gone when the scope ends. */
export interface ReceivedBlob extends AsyncDisposable {
  path: string;
  sha256: string;
  sizeBytes: number;
  partBytes: number;
  partSha256: string[];
  /** Moves it to its place, named by its SHA-256, durably. */
  keep(): Promise<void>;
  /** Removes it from its place. */
  withdraw(): Promise<void>;
}

/** Streams a body into `<directory>/tmp`, hashing it whole and by parts on the way; synced when it resolves. */
export async function receiveBlob(directory: string, body: Readable): Promise<ReceivedBlob> {
  const temporary = join(directory, 'tmp');
  const path = join(temporary, randomUUID());
  try {
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    const digest = await writeFile(path, body);
    const place = join(directory, digest.sha256);
    return {
      path,
      ...digest,
      partBytes,
      async keep() {
        await rename(path, place);
        await syncDirectory(directory);
      },
      withdraw: () => rm(place, { force: true }),
      [Symbol.asyncDispose]: () => rm(path, { force: true }),
    };
  } catch (error) {
    await rm(path, { force: true });
    throw asReceiveError(error);
  }
}

async function writeFile(
  path: string,
  body: Readable,
): Promise<{ sha256: string; sizeBytes: number; partSha256: string[] }> {
  const whole = createHash('sha256');
  const partSha256: string[] = [];
  let part = createHash('sha256');
  let partFill = 0;
  let sizeBytes = 0;
  await using file = await open(path, 'wx', 0o600);
  // Not destroyed on the way out: then the answer that says why could not be sent either.
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBlobBytes) throw tooLarge();
    whole.update(chunk);
    for (let start = 0; start < chunk.length;) {
      const slice = chunk.subarray(start, start + partBytes - partFill);
      part.update(slice);
      start += slice.length;
      partFill += slice.length;
      if (partFill < partBytes) continue;
      partSha256.push(part.digest('hex'));
      part = createHash('sha256');
      partFill = 0;
    }
    await file.writeFile(chunk);
  }
  if (partFill > 0) partSha256.push(part.digest('hex'));
  await file.sync();
  return { sha256: whole.digest('hex'), sizeBytes, partSha256 };
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}

function tooLarge(): FlotillaError {
  return new FlotillaError('failed', 'release-too-large', 'the bundle is too large', {
    expected: `at most ${maxBlobBytes} bytes`,
  });
}

function asReceiveError(error: unknown): unknown {
  if (systemErrorCode(error) !== 'ENOSPC' && systemErrorCode(error) !== 'EDQUOT') return error;
  return new FlotillaError('failed', 'disk-full', "the coordinator's disk is full", {
    suggestion: 'free some space and publish again; nothing of the bundle was kept',
    cause: error,
  });
}
