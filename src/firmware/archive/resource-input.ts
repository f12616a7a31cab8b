import { open, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { hostPath } from '../config/compile.ts';
import { resourceError } from '../config/resource.ts';
import type { Section } from '../config/section.ts';
import { fromByteString } from '../config/source-text.ts';
import { createBlake2b256 } from './blake2b.ts';
import { dataRanges, type DataRange } from './file-hole.ts';
import { SparseMap } from './sparse-map.ts';

const chunkBytes = 256 * 1024;

/** A file-resource as it is on the machine that builds: one file, several joined with `;`, or a text. */
export interface ResourceInput {
  readonly section: Section;
  /** Bytes of data: what the archive holds. */
  readonly sizeBytes: number;
  readonly blake2b256: string;
  /** CRC-32, by which packing sees that the files are still the same. */
  readonly crc: number;
  readonly parts: readonly InputPart[];
}

interface InputPart {
  readonly path: string;
  readonly ranges: readonly DataRange[];
}

/** Reads a resource once for its size and hash, and notes both in the section (for meta.conf). */
export async function measureResource(section: Section): Promise<ResourceInput> {
  const map = new SparseMap();
  const parts = section.has('contents') ? [] : await findParts(section, map);
  const hash = await createBlake2b256();
  let sizeBytes = 0;
  let crc = 0;
  for await (const chunk of readResource(section, parts)) {
    sizeBytes += chunk.length;
    crc = crc32(chunk, crc);
    hash.update(chunk);
  }
  if (section.has('contents')) map.lengths[0] = sizeBytes;
  else checkSize(section, map.lengths.reduce((sum, length) => sum + length, 0)); // prettier-ignore
  const blake2b256 = hash.digest('hex');
  section.set('length', map.lengths);
  section.set('blake2b-256', blake2b256);
  return { section, sizeBytes, blake2b256, crc, parts };
}

/** The same bytes again, to be packed. */
export function packResource({ section, parts }: ResourceInput): AsyncGenerator<Uint8Array, void> {
  return readResource(section, parts);
}

async function findParts(section: Section, map: SparseMap): Promise<InputPart[]> {
  const parts: InputPart[] = [];
  for (const name of (section.text('host-path') ?? '').split(';').filter((part) => part !== '')) {
    const path = hostPath(name, section.place.source.directory);
    const handle = await open(path, 'r').catch((error) => unreadable(section, name, error));
    try {
      const stat = await handle.stat();
      // /dev/null is a file of no bytes, as for fwup.
      if (!stat.isFile() && !(stat.isCharacterDevice() && stat.size === 0))
        unreadable(section, name, new Error('not a regular file'));
      const ranges = section.flag('skip-holes')
        ? await dataRanges(path, stat.size)
        : [{ offset: 0, length: stat.size }];
      parts.push({ path, ranges: map.addFile(stat.size, ranges) });
    } finally {
      await handle.close();
    }
  }
  return parts;
}

async function* readResource(section: Section, parts: readonly InputPart[]): AsyncGenerator<Uint8Array, void> {
  const contents = section.text('contents');
  if (contents !== undefined && contents !== '') yield Buffer.from(contents, 'latin1');
  for (const { path, ranges } of parts) {
    const handle = await open(path, 'r').catch((error) => unreadable(section, path, error));
    try {
      for (const range of ranges) yield* readRange(handle, range);
    } finally {
      await handle.close();
    }
  }
}

/** Ends early where the file does: the size then shows that it changed. */
async function* readRange(handle: FileHandle, { offset, length }: DataRange): AsyncGenerator<Uint8Array, void> {
  const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, length)); // used again: whoever keeps a chunk copies it
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(chunk, 0, Math.min(chunk.length, length - done), offset + done);
    if (bytesRead === 0) return;
    done += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

function unreadable(section: Section, path: string, error: unknown): never {
  const message = `can't open path '${fromByteString(path)}' in file-resource '${fromByteString(section.title)}'`;
  throw resourceError(section.placeOf('host-path'), message, {
    seen: (error as Error).message,
    suggestion: `paths are relative to ${section.place.source.directory}`,
    fwup: message,
  });
}

function checkSize(section: Section, sizeBytes: number): void {
  for (const [option, relation] of [
    ['assert-size-gte', '>='],
    ['assert-size-lte', '<='],
  ] as const) {
    const blocks = section.integer(option) ?? -1;
    const limit = blocks * 512;
    if (blocks < 0 || (relation === '<=' ? sizeBytes <= limit : sizeBytes >= limit)) continue;
    const message = `file size assertion failed on '${shownPath(section)}'`;
    throw resourceError(section.placeOf(option), message, {
      seen: `${sizeBytes} bytes`,
      expected: `${relation} ${limit} bytes (${blocks} blocks)`,
      fwup: `${message}. Size is ${sizeBytes} bytes. It must be ${relation} ${limit} bytes (${blocks} blocks)`,
    });
  }
}

function shownPath(section: Section): string {
  return fromByteString(section.text('host-path') ?? section.title);
}
