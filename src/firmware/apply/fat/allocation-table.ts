import { blockBytes } from '../segment-cache.ts';
import { FatFault } from './fat-fault.ts';
import { encodeFsInfo } from './format.ts';
import { clusterEnd, type Geometry } from './geometry.ts';
import type { SectorStore } from './sector-store.ts';

/** FSInfo's "not known". */
const unknown = 0xffff_ffff;
const maxHeldSectors = 128;

interface HeldSector {
  readonly bytes: Buffer;
  isDirty: boolean;
}

/**
 * The file allocation table: for each cluster 0 (free), the next cluster of its chain, or an end mark. Sectors are held
 * until `flush`, which writes both copies. Which cluster is taken next decides the image byte for byte: the search
 * goes on behind the last one taken and wraps once.
 */
export class AllocationTable {
  readonly #store: SectorStore;
  readonly #geometry: Geometry;
  readonly #held = new Map<number, HeldSector>();
  #last = unknown;
  #free = unknown;
  #isInfoStale = false;

  constructor(store: SectorStore, geometry: Geometry) {
    this.#store = store;
    this.#geometry = geometry;
  }

  /** FAT32 says in FSInfo where it was; the others begin at the first cluster. */
  async loadInfo(): Promise<void> {
    if (!this.#geometry.hasFsInfo) return;
    const info = await this.#store.read(1);
    const isInfo = info.readUInt16LE(510) === 0xaa55 && info.toString('latin1', 0, 4) === 'RRaA';
    if (!isInfo || info.toString('latin1', 484, 488) !== 'rrAa') return;
    this.#free = info.readUInt32LE(488);
    this.#last = info.readUInt32LE(492);
  }

  /** The next search begins with this cluster, if it is one. */
  searchFrom(cluster: number): void {
    this.#last = cluster - 1;
  }

  /** The cluster after this one, or undefined at the end of its chain. */
  async next(cluster: number): Promise<number | undefined> {
    const value = await this.#entry(cluster);
    if (value < 2) throw new FatFault('damaged');
    return value < clusterEnd(this.#geometry) ? value : undefined;
  }

  /** A new cluster at the end of the chain of `after`, or (0) a new chain. Undefined: the file system is full. */
  async allocate(after: number): Promise<number | undefined> {
    if (this.#free === 0) return undefined;
    const cluster = await this.#findFree(after);
    if (cluster === undefined) return undefined;
    await this.#set(cluster, 0x0fff_ffff);
    if (after !== 0) await this.#set(after, cluster);
    this.#last = cluster;
    if (this.#free <= this.#geometry.clusters) this.#free--;
    this.#isInfoStale = true;
    return cluster;
  }

  /** Frees a whole chain. */
  async release(first: number): Promise<void> {
    const end = clusterEnd(this.#geometry);
    if (first < 2 || first >= end) throw new FatFault('damaged');
    for (let cluster = first; cluster < end;) {
      const following = await this.#entry(cluster);
      if (following === 0) return;
      if (following === 1) throw new FatFault('damaged');
      await this.#set(cluster, 0);
      if (this.#free < this.#geometry.clusters) {
        this.#free++;
        this.#isInfoStale = true;
      }
      cluster = following;
    }
  }

  /** What is held is read anew: others may have written to the disk, or an operation failed half way. */
  forget(): void {
    this.#held.clear();
  }

  /** Writes what has changed. */
  async flush(): Promise<void> {
    await this.#writeHeld();
    if (!this.#isInfoStale || !this.#geometry.hasFsInfo) return;
    await this.#store.write(1, encodeFsInfo({ free: this.#free, last: this.#last }));
    this.#isInfoStale = false;
  }

  async #findFree(after: number): Promise<number | undefined> {
    const end = clusterEnd(this.#geometry);
    const isHint = this.#last >= 2 && this.#last < end;
    let start = after;
    if (after === 0) start = this.#last === 0 || this.#last >= end ? 1 : this.#last;
    else {
      const adjacent = after + 1 < end ? after + 1 : 2;
      if ((await this.#entry(adjacent)) === 0) return adjacent;
      if (isHint) start = this.#last;
    }
    for (let cluster = start + 1; ; cluster++) {
      if (cluster >= end) {
        if (start < 2) return undefined;
        cluster = 2;
      }
      if ((await this.#entry(cluster)) === 0) return cluster;
      if (cluster === start) return undefined;
    }
  }

  /** The raw entry, without the four bits of FAT32 that belong to nobody. End marks are larger than any cluster. */
  async #entry(cluster: number): Promise<number> {
    const { type } = this.#geometry;
    if (cluster < 2 || cluster >= clusterEnd(this.#geometry)) throw new FatFault('damaged');
    const at = Math.floor((cluster * type) / 8);
    const { bytes } = await this.#sector(at);
    const offset = at % blockBytes;
    if (type === 16) return bytes.readUInt16LE(offset);
    if (type === 32) return bytes.readUInt32LE(offset) & 0x0fff_ffff;
    const high = (await this.#sector(at + 1)).bytes[(at + 1) % blockBytes]!;
    const pair = bytes[offset]! | (high << 8);
    return cluster & 1 ? pair >> 4 : pair & 0xfff;
  }

  async #set(cluster: number, value: number): Promise<void> {
    const { type } = this.#geometry;
    if (cluster < 2 || cluster >= clusterEnd(this.#geometry)) throw new FatFault('damaged');
    const at = Math.floor((cluster * type) / 8);
    const low = await this.#sector(at);
    const offset = at % blockBytes;
    low.isDirty = true;
    if (type === 16) low.bytes.writeUInt16LE(value & 0xffff, offset);
    else if (type === 32) {
      const kept = low.bytes.readUInt32LE(offset) & 0xf000_0000;
      low.bytes.writeUInt32LE((kept | value) >>> 0, offset);
    } else {
      const high = await this.#sector(at + 1);
      high.isDirty = true;
      const index = (at + 1) % blockBytes;
      const isOdd = (cluster & 1) === 1;
      low.bytes[offset] = isOdd ? (low.bytes[offset]! & 0x0f) | ((value << 4) & 0xf0) : value & 0xff;
      high.bytes[index] = isOdd ? (value >> 4) & 0xff : (high.bytes[index]! & 0xf0) | ((value >> 8) & 0x0f);
    }
  }

  async #sector(byte: number): Promise<HeldSector> {
    const index = Math.floor(byte / blockBytes);
    const held = this.#held.get(index);
    if (held) return held;
    if (this.#held.size >= maxHeldSectors) await this.#writeHeld();
    const sector = { bytes: await this.#store.read(this.#geometry.fatStart + index), isDirty: false };
    this.#held.set(index, sector);
    return sector;
  }

  async #writeHeld(): Promise<void> {
    const { fatStart, fatSectors, fatCount } = this.#geometry;
    for (const [index, { bytes, isDirty }] of this.#held) {
      if (!isDirty) continue;
      for (let copy = 0; copy < fatCount; copy++) {
        await this.#store.write(fatStart + copy * fatSectors + index, bytes);
      }
    }
    this.#held.clear();
  }
}
