import { parseBlockNumber } from '../config/call-spec.ts';
import { resourceRecord, type ResourceRecord } from '../config/resource.ts';
import type { Section } from '../config/section.ts';
import { fromByteString, type ByteString } from '../config/source-text.ts';

/** What a device holds where a delta is made from: a resource of what it runs, or why that can't be said. */
export type DeltaOrigin = { readonly resource: ResourceRecord } | { readonly reason: string };

/**
 * Finds what the deltas of a resource are made from: the sections of `after` that take a delta say where on the
 * destination its source stands, and the tasks of `before` what they have written there.
 */
export function deltaOrigin(name: ByteString, after: Section, before: Section): DeltaOrigin {
  const takers = onResource(after, name).filter(takesDelta);
  if (takers.length === 0) {
    return { reason: 'no task takes a delta of it (delta-source-raw-offset, or delta-source-fat-path)' };
  }
  let origin: ResourceRecord | undefined;
  for (const taker of takers) {
    const found = writtenAt(taker, before);
    if (typeof found === 'string') return { reason: found };
    if (origin !== undefined && origin.blake2b256 !== found.blake2b256) {
      return { reason: `its tasks take deltas of different resources: ${shown(origin)} and ${shown(found)}` };
    }
    origin = found;
  }
  return { resource: origin! };
}

/** The resource that `before` leaves where `taker` reads, or why there is none. */
function writtenAt(taker: Section, before: Section): ResourceRecord | string {
  const [place, isThere] = sourceOf(taker);
  let written: ResourceRecord | undefined;
  for (const { title } of before.all('file-resource')) {
    if (!onResource(before, title).some(isThere)) continue;
    const record = resourceRecord(before.find('file-resource', title)!);
    if (written !== undefined && written.blake2b256 !== record.blake2b256) {
      return `what devices have at ${place} is not sure: ${shown(written)} or ${shown(record)}`;
    }
    written = record;
  }
  if (written === undefined) return `the old bundle writes nothing at ${place}`;
  return written.map.length > 1 ? `${shown(written)} has holes: what devices have there is not sure` : written;
}

/** Where a section that takes a delta reads, and whether a section writes just there. The raw source wins. */
function sourceOf(taker: Section): [string, (writer: Section) => boolean] {
  const block = parseBlockNumber(taker.text('delta-source-raw-offset') ?? '');
  if (taker.has('delta-source-raw-offset')) {
    const isEncrypted = taker.has('delta-source-raw-options');
    return [
      `block ${block ?? '?'}`,
      ({ calls }) =>
        calls.some(
          ({ name, args: [at, ...options] }) =>
            name === 'raw_write' && isBlock(at, block) && options.length > 0 === isEncrypted,
        ),
    ];
  }
  const path = taker.text('delta-source-fat-path') ?? '';
  const volume = parseBlockNumber(taker.text('delta-source-fat-offset') ?? '');
  return [
    `${fromByteString(path)} of the FAT file system at block ${volume ?? '?'}`,
    ({ calls }) =>
      calls.some(({ name, args: [at, file] }) => name === 'fat_write' && isBlock(at, volume) && file === path),
  ];
}

function isBlock(text: ByteString | undefined, block: number | undefined): boolean {
  return text !== undefined && block !== undefined && parseBlockNumber(text) === block;
}

/** The sections of all tasks that say what happens with a resource. */
function onResource(root: Section, name: ByteString): Section[] {
  return root.all('task').flatMap((task) => task.all('on-resource').filter(({ title }) => title === name));
}

export function takesDelta(section: Section): boolean {
  return section.has('delta-source-raw-offset') || section.has('delta-source-fat-path');
}

function shown({ name }: ResourceRecord): string {
  return `'${fromByteString(name)}'`;
}
