import { basename, dirname } from 'node:path';
import { execa } from 'execa';

/** A stretch of a file that holds data; what is between them are holes. Bytes. */
export interface DataRange {
  readonly offset: number;
  readonly length: number;
}

const blockBytes = 512;

/**
 * Where a file has data, as its file system says. Node has no SEEK_HOLE, GNU tar does: its archive of a sparse file
 * begins with the list. Where it can't be had (no GNU tar, a file system without holes) the file is one range, which
 * is valid and only larger.
 */
export async function dataRanges(path: string, sizeBytes: number): Promise<DataRange[]> {
  const whole = sizeBytes > 0 ? [{ offset: 0, length: sizeBytes }] : [];
  const argv = ['--format=posix', '--sparse', '--hole-detection=seek', '--blocking-factor=1', '-cf', '-'];
  const child = execa('tar', [...argv, '-C', dirname(path), '--', basename(path)], {
    buffer: false,
    reject: false,
    stdin: 'ignore',
    stderr: 'ignore',
    env: { LC_ALL: 'C', TAR_OPTIONS: '' },
  });
  const blocks = new TarBlocks(child.stdout);
  try {
    return (await readSparseMap(blocks, sizeBytes)) ?? whole;
  } finally {
    // The rest of the archive is the file's data: nobody reads it, so the pipe has to go before the end is waited for.
    await blocks.close();
    child.kill('SIGKILL');
    await child;
  }
}

/** Undefined when the archive is not one of a sparse file. */
async function readSparseMap(blocks: TarBlocks, sizeBytes: number): Promise<DataRange[] | undefined> {
  let isSparse = false;
  for (;;) {
    const header = await blocks.next();
    if (!header) return undefined;
    const size = Number.parseInt(header.toString('latin1', 124, 135), 8);
    if (header.toString('latin1', 156, 157) !== 'x') break;
    const records = (await blocks.text(size)) ?? '';
    isSparse ||= /\d+ GNU\.sparse\.major=1\n/.test(records);
  }
  return isSparse ? readNumbers(blocks, sizeBytes) : undefined;
}

/** Lines of decimal numbers: how many ranges, then offset and length of each; the last may be an empty one at the end. */
async function readNumbers(blocks: TarBlocks, sizeBytes: number): Promise<DataRange[] | undefined> {
  let text = '';
  const numbers = (): number[] => text.split('\n').slice(0, -1).map(Number);
  for (;;) {
    const count = numbers()[0];
    if (count !== undefined && numbers().length > count * 2) break;
    const block = await blocks.next();
    if (!block) return undefined;
    text += block.toString('latin1').replace(/\0+$/, '');
  }
  const [count = 0, ...rest] = numbers();
  const ranges = Array.from({ length: count }, (_, index) => ({
    offset: rest[index * 2]!,
    length: rest[index * 2 + 1]!,
  })).filter(({ length }) => length > 0);
  const end = ranges.at(-1);
  return end && end.offset + end.length > sizeBytes ? undefined : ranges;
}

class TarBlocks {
  readonly #chunks: AsyncIterator<Buffer>;
  #pending: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<unknown>) {
    this.#chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  async next(): Promise<Buffer | undefined> {
    while (this.#pending.length < blockBytes) {
      const { value, done } = await this.#chunks.next();
      if (done) return undefined;
      this.#pending = Buffer.concat([this.#pending, value]);
    }
    const block = this.#pending.subarray(0, blockBytes);
    this.#pending = this.#pending.subarray(blockBytes);
    return block;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** The text of a member's data of `size` bytes. */
  async text(size: number): Promise<string | undefined> {
    let text = '';
    for (let at = 0; at < size; at += blockBytes) {
      const block = await this.next();
      if (!block) return undefined;
      text += block.toString('latin1', 0, Math.min(blockBytes, size - at));
    }
    return text;
  }
}
