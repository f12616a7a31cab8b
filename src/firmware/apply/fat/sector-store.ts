import { blockBytes, type SegmentCache } from '../segment-cache.ts';

/** Behind the first MiB there are only files, each sector written once; before it stand the FATs, written often. */
const streamedFromSector = 2049;

/** The sectors of one file system, which begins at some block of the disk. */
export class SectorStore {
  readonly #cache: Pick<SegmentCache, 'read' | 'write'>;
  readonly #start: number;

  constructor(cache: Pick<SegmentCache, 'read' | 'write'>, block: number) {
    this.#cache = cache;
    this.#start = block * blockBytes;
  }

  read(sector: number, count = 1): Promise<Buffer> {
    return this.#cache.read(this.#start + sector * blockBytes, count * blockBytes);
  }

  /** Whole sectors. */
  write(sector: number, bytes: Buffer): Promise<void> {
    return this.#cache.write(this.#start + sector * blockBytes, bytes, sector >= streamedFromSector);
  }
}
