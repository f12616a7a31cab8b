import { createHash } from 'node:crypto';
import { open, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import type { FileOffer } from '../../protocol/request.ts';
import type { Link } from '../link/port.ts';
import { linkIsLive, sleep } from '../wait.ts';

/** Where parts come from. The link is one; a relay or a neighbour may be another: what comes is verified here. */
export type PartSource = Pick<Link, 'fetch'>;

export interface DownloadOption {
  file: FileOffer;
  path: string;
  link: PartSource & Pick<Link, 'status' | 'onChange'>;
  clock: Clock;
  signal: AbortSignal;
  /** Parts that are on disk already; grows. */
  parts: Set<number>;
  /** The part's bytes are verified and synced: remember that. */
  onPart(part: number): void;
  /** Asked before each piece is fetched; resolves when it may be, throws when the offer does not hold any more. */
  admit(bytes: number): Promise<void>;
  /** Of one piece; less than a part where the rate is limited, so that it does not come in bursts. */
  maxPieceBytes?: number;
}

/** How often one part may come with other bytes than the offer's hash says. */
const maxWrongParts = 3;
/** How often the coordinator may refuse; each wait is twice the one before, the first a second. */
const maxRefusals = 6;
/** One request of the link carries no more. */
const maxFetchBytes = 262_144;
const partsInFlight = 2;
/** Parts between two collections of everything: 8 MB. */
const partsPerMajor = 32;
/** Free room that stays beside what is written. */
const marginBytes = 1 << 20;

/** Fetches what is missing of a bundle, each part verified before it is written. Ends with every part on disk. */
export async function downloadBundle(option: DownloadOption): Promise<void> {
  const { file: wanted, path, parts } = option;
  const count = partCount(wanted);
  const file = await open(path, parts.size === 0 ? 'w+' : 'r+', 0o600);
  try {
    await assertRoom(option, file);
    collectGarbage(0);
    const missing: number[] = [];
    for (let part = 0; part < count; part++) if (!parts.has(part)) missing.push(part);
    const workers = Array.from({ length: partsInFlight }, async () => {
      // One for all its parts.
      const buffer = Buffer.alloc(Math.min(wanted.partBytes, wanted.sizeBytes));
      try {
        for (let part = missing.shift(); part !== undefined; part = missing.shift())
          await takePart(option, file, part, buffer);
      } catch (error) {
        missing.length = 0; // the others stop after the part that they are at
        throw error;
      }
    });
    const results = await Promise.allSettled(workers);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    await file.sync();
  } finally {
    await file.close();
  }
}

export function partCount({ sizeBytes, partBytes }: FileOffer): number {
  return Math.ceil(sizeBytes / partBytes);
}

/** Bytes of these parts. */
export function partsBytes(file: FileOffer, parts: ReadonlySet<number>): number {
  const last = partCount(file) - 1;
  return parts.size * file.partBytes - (parts.has(last) ? file.partBytes * (last + 1) - file.sizeBytes : 0);
}

async function takePart(option: DownloadOption, file: FileHandle, part: number, buffer: Buffer): Promise<void> {
  const { file: wanted, parts, onPart } = option;
  const offset = part * wanted.partBytes;
  const length = Math.min(wanted.partBytes, wanted.sizeBytes - offset);
  for (let wrong = 0; ;) {
    let fault = 'bytes of another hash came';
    const bytes = await fetchPart(option, offset, buffer.subarray(0, length)).catch((error: unknown) => {
      if (!(error instanceof FlotillaError) || error.code !== 'part-malformed') throw error;
      fault = error.message;
      return Buffer.alloc(0);
    });
    if (bytes.length === length && createHash('sha256').update(bytes).digest('hex') === wanted.partSha256[part]) {
      await writeAll(file, bytes, offset);
      await file.datasync(); // the mark must never say more than the disk
      parts.add(part);
      onPart(part);
      collectGarbage(parts.size);
      return;
    }
    wrong += 1;
    if (wrong < maxWrongParts) continue;
    throw new FlotillaError('failed', 'part-corrupt', `part ${part} was asked for ${wrong} times: ${fault}`);
  }
}

/**
 * What came from the socket is garbage by now, outside of V8's heap, where V8 lets it grow to 32 MB before it looks. The
 * service starts the agent with --expose-gc for this: a collection of the young takes a millisecond or two. Now and then
 * all of it, which also drops compiled code that is not in use: three megabytes less all through a download.
 */
function collectGarbage(partsDone: number): void {
  const isMajor = partsDone % partsPerMajor === 0;
  globalThis.gc?.(
    isMajor ? { type: 'major', execution: 'sync', flavor: 'last-resort' } : { type: 'minor', execution: 'sync' },
  );
}

async function fetchPart(option: DownloadOption, offset: number, bytes: Buffer): Promise<Uint8Array> {
  const { length } = bytes;
  let refusals = 0;
  for (let done = 0; done < length;) {
    const { file, link, clock, signal, admit, maxPieceBytes = maxFetchBytes } = option;
    await linkIsLive(link, clock, { signal });
    const into = bytes.subarray(done, done + Math.min(maxPieceBytes, maxFetchBytes));
    await admit(into.length);
    let got = 0;
    try {
      const range = {
        sha256: file.sha256,
        offset: offset + done,
        length: into.length,
        into,
        onBytes: (bytesSoFar: number) => void (got = bytesSoFar),
      };
      const piece = await link.fetch(range, signal);
      if (piece.length === 0 || piece.length > length - done) return piece; // judged by its hash like any other answer
      if (piece.byteOffset !== into.byteOffset || piece.buffer !== into.buffer) bytes.set(piece, done);
      done += piece.length;
    } catch (error) {
      signal.throwIfAborted();
      const code = error instanceof FlotillaError ? error.code : undefined;
      if (code === 'blob-refused' && ++refusals < maxRefusals) await sleep(clock, 1_000 * 2 ** (refusals - 1), signal);
      else if (code === 'link-lost') {
        done += got; // judged with the rest by the part's hash
        await sleep(clock, 250, signal);
      } else throw error;
    }
  }
  return bytes;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

async function assertRoom({ file: wanted, parts, path }: DownloadOption, file: FileHandle): Promise<void> {
  await requireRoom(dirname(path), wanted.sizeBytes - Math.min((await file.stat()).size, partsBytes(wanted, parts)));
}

/** So much may be written there, and the rest of the agent still has some. @throws `no-room` */
export async function requireRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const [free, needed] = [bavail * bsize, bytes + marginBytes];
  if (free >= needed) return;
  const message = `the state folder has no room: ${needed} bytes are needed, ${free} are free`;
  throw new FlotillaError('failed', 'no-room', message, { seen: folder });
}
