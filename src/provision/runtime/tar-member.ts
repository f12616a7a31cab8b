/**
 * One file out of a tar archive (POSIX ustar, as npm packs it), as a stream. A header of 512 bytes: the name at 0 (100
 * bytes) below a prefix at 345 (155), the size at 124 (12 bytes, octal), the type at 156 (`0` or NUL: a file); then the
 * data, filled up to a multiple of 512.
 */
import { FlotillaError } from '../../error.ts';

const blockBytes = 512;

/** The bytes of that member. Throws when the archive ends without it, or in the middle of it. */
export async function* readTarMember(archive: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const reader = new BlockReader(archive);
  for (;;) {
    const header = await reader.take(blockBytes);
    if (header === undefined || header[0] === 0) throw damaged(`no ${name} in it`);
    const size = Number.parseInt(textAt(header, 124, 12), 8);
    if (!Number.isSafeInteger(size) || size < 0) throw damaged('a member without a size');
    const prefix = textAt(header, 345, 155);
    const path = `${prefix === '' ? '' : `${prefix}/`}${textAt(header, 0, 100)}`;
    const isFile = header[156] === 0 || header[156] === 0x30;
    const wanted = isFile && path === name;
    for (let left = size; left > 0;) {
      const piece = await reader.some(left);
      if (piece === undefined) throw damaged('it ends in the middle of a member');
      left -= piece.length;
      if (wanted) yield piece;
    }
    if (wanted) return;
    await reader.take((blockBytes - (size % blockBytes)) % blockBytes);
  }
}

class BlockReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** At least one byte and at most so many; undefined at the end. */
  async some(limit: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const piece = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** Exactly so many; undefined when the archive ends before. */
  async take(count: number): Promise<Uint8Array | undefined> {
    const pieces: Uint8Array[] = [];
    for (let left = count; left > 0;) {
      const piece = await this.some(left);
      if (piece === undefined) return undefined;
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }
}

function textAt(header: Uint8Array, offset: number, length: number): string {
  const text = Buffer.from(header.subarray(offset, offset + length)).toString('latin1');
  return text.split('\0', 1)[0]!.trim();
}

function damaged(seen: string): FlotillaError {
  return new FlotillaError('failed', 'runtime-archive-damaged', 'this is not the archive that it should be', { seen });
}
