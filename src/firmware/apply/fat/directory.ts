import { blockBytes } from '../segment-cache.ts';
import type { AllocationTable } from './allocation-table.ts';
import { deleted, encodeName, Entry, entryCount, LongName } from './entry.ts';
import { FatFault } from './fat-fault.ts';
import { entryBytes, sectorOf, type Geometry } from './geometry.ts';
import { numberedShort, sameLongName, type FatName } from './name.ts';
import type { SectorStore } from './sector-store.ts';

/** What FAT allows: 65536 entries. */
const maxBytes = 0x20_0000;
const maxAttempts = 99;

/** Where a file or a directory stands in its parent. */
export class Found {
  readonly directory: Directory;
  /** Of its first entry (of the long name, if it has one) and of the short one. */
  readonly first: number;
  readonly index: number;

  constructor(directory: Directory, first: number, index: number) {
    this.directory = directory;
    this.first = first;
    this.index = index;
  }

  /** Of the moment: the directory gets other memory when it grows. */
  get entry(): Entry {
    return this.directory.entryAt(this.index);
  }

  change(edit: (entry: Entry) => void): void {
    edit(this.entry);
    this.directory.touch(this.index);
  }
}

/** What everything in a file system works on. */
export interface VolumePart {
  readonly store: SectorStore;
  readonly table: AllocationTable;
  readonly geometry: Geometry;
}

/** A directory in memory: all its sectors, written back by `flush` where they changed. */
export class Directory {
  readonly #part: VolumePart;
  /** 0: the root, of FAT32 too; what `..` of a child says. */
  readonly cluster: number;
  /** Empty for the fixed root of FAT12 and FAT16. */
  readonly #clusters: number[];
  #sectors: number[];
  #bytes: Buffer;
  readonly #dirty = new Set<number>();

  private constructor(
    part: VolumePart,
    cluster: number,
    content: { clusters: number[]; sectors: number[]; bytes: Buffer },
  ) {
    this.#part = part;
    this.cluster = cluster;
    this.#clusters = content.clusters;
    this.#sectors = content.sectors;
    this.#bytes = content.bytes;
  }

  static async open(part: VolumePart, cluster: number): Promise<Directory> {
    const { geometry, store, table } = part;
    const first = cluster === 0 ? geometry.rootCluster : cluster;
    if (first === 0) {
      const count = (geometry.rootEntries * entryBytes) / blockBytes;
      const sectors = Array.from({ length: count }, (_, index) => geometry.rootStart + index);
      return new Directory(part, 0, { clusters: [], sectors, bytes: await store.read(geometry.rootStart, count) });
    }
    const clusters: number[] = [];
    const parts: Buffer[] = [];
    const clusterBytes = geometry.sectorsPerCluster * blockBytes;
    for (let next: number | undefined = first; next !== undefined; next = await table.next(next)) {
      if ((clusters.length + 1) * clusterBytes > maxBytes) throw new FatFault('damaged'); // also a chain that is a ring
      if (next < 2) throw new FatFault('damaged');
      clusters.push(next);
      parts.push(await store.read(sectorOf(geometry, next), geometry.sectorsPerCluster));
    }
    const sectors = clusters.flatMap((each) => sectorsOf(geometry, each));
    return new Directory(part, cluster, { clusters, sectors, bytes: Buffer.concat(parts) });
  }

  /** The entry of that name, by its long or its short name. */
  find(name: FatName): Found | undefined {
    const long = new LongName();
    for (const [index, entry] of this.#entries()) {
      if (entry.isEnd) return undefined;
      if (entry.isFree || (entry.isLabel && !entry.isLongPart)) long.reset();
      else if (entry.isLongPart) long.add(entry, index);
      else {
        const text = long.of(entry.shortName);
        const isLongMatch = text !== undefined && sameLongName(text, name.long);
        if (isLongMatch || (!name.isLossy && entry.shortName.equals(name.short))) {
          return new Found(this, text === undefined ? index : long.start, index);
        }
        long.reset();
      }
    }
    return undefined;
  }

  findLabel(): Entry | undefined {
    for (const [index, entry] of this.#entries()) {
      if (entry.isEnd) return undefined;
      if (!entry.isFree && entry.isLabel) {
        this.touch(index);
        return entry;
      }
    }
    return undefined;
  }

  /** Nothing in it but `.` and `..`. */
  get isEmpty(): boolean {
    for (const [, entry] of this.#entries()) {
      if (entry.isEnd) return true;
      const isDots = entry.bytes[0] === 0x2e;
      if (!entry.isFree && !isDots && !entry.isLabel && !entry.isLongPart) return false;
    }
    return true;
  }

  /** A new entry, empty but for its name; the directory grows if it has to. */
  async add(name: FatName): Promise<Found> {
    const named = name.isLossy ? { ...name, short: this.#freeShort(name) } : name;
    const bytes = encodeName(named);
    const first = await this.allocate(entryCount(named));
    bytes.copy(this.#bytes, first * entryBytes);
    const index = first + entryCount(named) - 1;
    for (let each = first; each <= index; each++) this.touch(each);
    return new Found(this, first, index);
  }

  /** The first of so many free entries in a row. */
  async allocate(count: number): Promise<number> {
    for (let index = 0, run = 0; ; index++) {
      if (index * entryBytes >= this.#bytes.length) await this.#grow();
      run = this.entryAt(index).isFree ? run + 1 : 0;
      if (run === count) return index - count + 1;
    }
  }

  remove({ first, index }: Found): void {
    for (let each = first; each <= index; each++) {
      this.#bytes[each * entryBytes] = deleted;
      this.touch(each);
    }
  }

  entryAt(index: number): Entry {
    return new Entry(this.#bytes.subarray(index * entryBytes, (index + 1) * entryBytes));
  }

  /** To be called for every entry that was changed. */
  touch(index: number): void {
    this.#dirty.add(Math.floor((index * entryBytes) / blockBytes));
  }

  async flush(): Promise<void> {
    for (const sector of this.#dirty) {
      const bytes = this.#bytes.subarray(sector * blockBytes, (sector + 1) * blockBytes);
      await this.#part.store.write(this.#sectors[sector]!, bytes);
    }
    this.#dirty.clear();
  }

  #freeShort(name: FatName): Buffer {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const short = numberedShort(name, attempt);
      if (!this.#hasShort(short)) return short;
    }
    throw new FatFault('denied');
  }

  #hasShort(short: Buffer): boolean {
    for (const [, entry] of this.#entries()) {
      if (entry.isEnd) return false;
      const isName = !entry.isFree && !entry.isLongPart && !entry.isLabel;
      if (isName && entry.shortName.equals(short)) return true;
    }
    return false;
  }

  async #grow(): Promise<void> {
    const { geometry, table } = this.#part;
    const last = this.#clusters.at(-1);
    const addedBytes = geometry.sectorsPerCluster * blockBytes;
    const cluster =
      last === undefined || this.#bytes.length + addedBytes > maxBytes ? undefined : await table.allocate(last);
    if (cluster === undefined) throw new FatFault('denied');
    this.#clusters.push(cluster);
    const firstSector = this.#sectors.length;
    this.#sectors = [...this.#sectors, ...sectorsOf(geometry, cluster)];
    this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(addedBytes)]);
    for (let sector = firstSector; sector < this.#sectors.length; sector++) this.#dirty.add(sector);
  }

  *#entries(): Generator<[number, Entry]> {
    for (let index = 0; index * entryBytes < this.#bytes.length; index++) yield [index, this.entryAt(index)];
  }
}

function sectorsOf(geometry: Geometry, cluster: number): number[] {
  const first = sectorOf(geometry, cluster);
  return Array.from({ length: geometry.sectorsPerCluster }, (_, index) => first + index);
}
