import type { DeltaSource } from '../delta/window.ts';
import { parseBlockNumber } from '../config/call-spec.ts';
import { unsetBlockCount } from '../config/schema.ts';
import type { Section } from '../config/section.ts';
import { configError, fromByteString } from '../config/source-text.ts';
import { FlotillaError } from '../../error.ts';
import { diskCipher } from './disk-cipher.ts';
import { openDeltaSource } from './fat/fat-action.ts';
import type { ActionContext } from './planned-action.ts';
import { blockBytes, segmentBytes } from './segment-cache.ts';

/** Blocks of the source that are held: patches jump back and forth between few places. */
const heldBlocks = 32;

/** A source that is held open while the actions of its resource run: they may write to the file it is read from. */
export interface OpenDeltaSource extends DeltaSource {
  close(): void;
}

/** What the deltas of an on-resource section copy from, or undefined when it takes none. The raw one wins. */
export async function openSource(section: Section, context: ActionContext): Promise<OpenDeltaSource | undefined> {
  const rawCount = section.integer('delta-source-raw-count') ?? unsetBlockCount;
  if (section.text('delta-source-raw-offset') !== undefined && rawCount > 0) {
    const start = blockOption(section, 'delta-source-raw-offset') * blockBytes;
    return new BlockedSource(rawReader(section, start, context), rawCount * blockBytes, () => undefined);
  }
  const path = section.text('delta-source-fat-path');
  if (section.text('delta-source-fat-offset') === undefined || path === undefined) return undefined;
  const file = await openDeltaSource(context.fat, blockOption(section, 'delta-source-fat-offset'), path);
  return new BlockedSource(
    (offset, length) => file.read(offset, length),
    file.sizeBytes,
    () => file.close(),
  );
}

function blockOption(section: Section, option: string): number {
  const text = section.text(option) ?? '';
  const block = parseBlockNumber(text);
  if (block !== undefined) return block;
  throw configError(section.placeOf(option), `${option} is not a block number`, { seen: fromByteString(text) });
}

type SourceReader = (offset: number, length: number) => Promise<Buffer>;

/** From the destination, through the cache; decrypted with the number of each block from the start of the source. */
function rawReader(section: Section, start: number, { cache }: ActionContext): SourceReader {
  const options = section.text('delta-source-raw-options');
  if (options === undefined) return (offset, length) => cache.read(start + offset, length);
  const cipher = diskCipher([options]);
  return async (offset, length) => {
    const padded = Math.ceil(length / blockBytes) * blockBytes;
    return cipher.decrypt(await cache.read(start + offset, padded), offset / blockBytes).subarray(0, length);
  };
}

/** Reads whole 128 KiB blocks, as xdelta3 does, and holds the latest. */
class BlockedSource implements OpenDeltaSource {
  readonly #read: SourceReader;
  readonly #size: number;
  readonly #held = new Map<number, Buffer>();
  readonly close: () => void;

  constructor(read: SourceReader, sizeBytes: number, close: () => void) {
    this.#read = read;
    this.#size = sizeBytes;
    this.close = close;
  }

  async read(offset: number, into: Buffer): Promise<void> {
    for (let done = 0; done < into.length;) {
      const at = (offset + done) % segmentBytes;
      const count = Math.min(into.length - done, segmentBytes - at);
      const block = await this.#block(Math.floor((offset + done) / segmentBytes));
      this.#part(block, at, count, offset + done).copy(into, done);
      done += count;
    }
  }

  #part(block: Buffer, from: number, length: number, offset: number): Buffer {
    if (from + length > block.length) throw this.#outside(offset, length);
    return block.subarray(from, from + length);
  }

  async #block(index: number): Promise<Buffer> {
    const held = this.#held.get(index);
    if (held) return held;
    const offset = index * segmentBytes;
    if (offset > this.#size) throw this.#outside(offset, segmentBytes);
    const block = await this.#read(offset, Math.min(segmentBytes, this.#size - offset));
    if (this.#held.size >= heldBlocks) this.#held.delete(this.#held.keys().next().value!);
    this.#held.set(index, block);
    return block;
  }

  #outside(offset: number, length: number): FlotillaError {
    const range = `0-${this.#size}`;
    return new FlotillaError('refused', 'firmware-delta-failed', 'the delta reads outside of its source', {
      seen: `${length} bytes at ${offset}`,
      expected: `within ${range}`,
      suggestion: 'use the full bundle',
      fwup: `xdelta tried to load outside of allowed byte range (${range}): offset: ${offset}, count: ${length}`,
    });
  }
}
