import type { SegmentCache } from '../segment-cache.ts';
import { FatVolume } from './volume.ts';

/** fwup keeps so many mounted; the one that was mounted first makes room. It shows in which clusters are taken next. */
const maxMounted = 4;

/** The FAT file systems of one disk, by the block at which each begins. */
export class FatVolumes {
  readonly #cache: SegmentCache;
  readonly #mounted = new Map<number, FatVolume>();

  constructor(cache: SegmentCache) {
    this.#cache = cache;
  }

  at(block: number): FatVolume {
    const known = this.#mounted.get(block);
    if (known) return known;
    const [oldest] = this.#mounted.keys();
    if (oldest !== undefined && this.#mounted.size >= maxMounted) this.#mounted.delete(oldest);
    const volume = new FatVolume(this.#cache, block);
    this.#mounted.set(block, volume);
    return volume;
  }

  /** Before on-finish, and after a failure: what was mounted is read anew. */
  forget(): void {
    this.#mounted.clear();
  }
}
