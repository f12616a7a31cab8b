import { createReadStream } from 'node:fs';
import { hostPath } from '../config/compile.ts';
import type { Section } from '../config/section.ts';
import { configError, fromByteString } from '../config/source-text.ts';
import { FlotillaError } from '../../error.ts';
import { createBlake2b256 } from './blake2b.ts';

const chunkBytes = 256 * 1024;

/** A file-resource as it is on the machine that builds: one file, several joined with `;`, or a text. */
export interface ResourceInput {
  readonly section: Section;
  readonly sizeBytes: number;
  readonly blake2b256: string;
}

/** Reads a resource once for its size and hash, and notes both in the section (for meta.conf). */
export async function measureResource(section: Section): Promise<ResourceInput> {
  const hash = await createBlake2b256();
  let sizeBytes = 0;
  for await (const chunk of readResource(section)) {
    sizeBytes += chunk.length;
    hash.update(chunk);
  }
  checkSize(section, sizeBytes);
  const blake2b256 = hash.digest('hex');
  section.set('length', [sizeBytes]);
  section.set('blake2b-256', blake2b256);
  return { section, sizeBytes, blake2b256 };
}

/** The same bytes again, to be packed; refuses files that changed in between. */
export async function* packResource(input: ResourceInput): AsyncGenerator<Uint8Array, void> {
  const hash = await createBlake2b256();
  for await (const chunk of readResource(input.section)) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') === input.blake2b256) return;
  throw new FlotillaError(
    'failed',
    'firmware-input-changed',
    `${shownPath(input.section)} changed while it was packed`,
    {
      suggestion: 'build again when nothing writes to it',
    },
  );
}

async function* readResource(section: Section): AsyncGenerator<Uint8Array, void> {
  const contents = section.text('contents');
  if (contents !== undefined) {
    if (contents !== '') yield Buffer.from(contents, 'latin1');
    return;
  }
  for (const path of (section.text('host-path') ?? '').split(';').filter((part) => part !== '')) {
    const place = section.placeOf('host-path');
    const stream = createReadStream(hostPath(path, section.place.source.directory), { highWaterMark: chunkBytes });
    try {
      for await (const chunk of stream) yield chunk as Uint8Array;
    } catch (error) {
      throw configError(
        place,
        `can't open path '${fromByteString(path)}' in file-resource '${fromByteString(section.title)}'`,
        {
          seen: (error as Error).message,
          suggestion: `paths are relative to ${section.place.source.directory}`,
        },
      );
    }
  }
}

function checkSize(section: Section, sizeBytes: number): void {
  for (const [option, relation] of [
    ['assert-size-lte', '<='],
    ['assert-size-gte', '>='],
  ] as const) {
    const blocks = section.integer(option) ?? -1;
    const limit = blocks * 512;
    if (blocks < 0 || (relation === '<=' ? sizeBytes <= limit : sizeBytes >= limit)) continue;
    throw configError(section.placeOf(option), `file size assertion failed on '${shownPath(section)}'`, {
      seen: `${sizeBytes} bytes`,
      expected: `${relation} ${limit} bytes (${blocks} blocks)`,
    });
  }
}

function shownPath(section: Section): string {
  return fromByteString(section.text('host-path') ?? section.title);
}
