import { blockBytes } from '../segment-cache.ts';
import type { Found, VolumePart } from './directory.ts';
import { attribute } from './entry.ts';
import { sectorOf } from './geometry.ts';

/** A size is 32 bits. */
const maxFileBytes = 0xffff_ffff;

/** Appends to an empty file. Sizes and the chain's start are noted by `finish`. */
export class FileWriter {
  readonly #part: VolumePart;
  readonly #found: Found;
  #first = 0;
  #cluster = 0;
  /** Sectors of the cluster that are taken already. */
  #usedSectors: number;
  #partial: Buffer = Buffer.alloc(0);
  #size = 0;

  constructor(part: VolumePart, found: Found) {
    this.#part = part;
    this.#found = found;
    this.#usedSectors = part.geometry.sectorsPerCluster;
  }

  get size(): number {
    return this.#size;
  }

  /** How many bytes found room: fewer than there are when the file system is full, or the file as large as one can be. */
  async append(bytes: Buffer): Promise<number> {
    const fitting = bytes.subarray(0, maxFileBytes - this.#size);
    const before = this.#partial.length;
    const all = before === 0 ? fitting : Buffer.concat([this.#partial, fitting]);
    const whole = all.length - (all.length % blockBytes);
    const written = await this.#writeSectors(all.subarray(0, whole));
    this.#partial = written === whole ? Buffer.from(all.subarray(whole)) : Buffer.alloc(0);
    const taken = written === whole ? fitting.length : Math.max(0, written - before);
    this.#size += taken;
    return taken;
  }

  /** The last sector is filled with zeros. False: there was no room for it. */
  async finish(): Promise<boolean> {
    if (this.#partial.length > 0) {
      const sector = Buffer.alloc(blockBytes);
      this.#partial.copy(sector);
      if ((await this.#writeSectors(sector)) === 0) return false;
    }
    const isFat32 = this.#part.geometry.type === 32;
    this.#found.change((entry) => {
      entry.attributes |= attribute.archive;
      entry.setFirstCluster(this.#first, isFat32);
      entry.size = this.#size;
      entry.setModified();
      entry.clearAccessed();
    });
    await this.#found.directory.flush();
    await this.#part.table.flush();
    return true;
  }

  /** Returns the bytes that found room; sectors in a row are written with one call. */
  async #writeSectors(bytes: Buffer): Promise<number> {
    const { geometry, store } = this.#part;
    let start = 0;
    let runSector = 0;
    let at = 0;
    const writeRun = async (): Promise<void> => {
      if (at > start) await store.write(runSector, bytes.subarray(start, at));
      start = at;
    };
    while (at < bytes.length) {
      if (this.#usedSectors === geometry.sectorsPerCluster && !(await this.#nextCluster())) break;
      const sector = sectorOf(geometry, this.#cluster) + this.#usedSectors;
      if (at === start) runSector = sector;
      else if (sector !== runSector + (at - start) / blockBytes) {
        await writeRun();
        runSector = sector;
      }
      const count = Math.min(geometry.sectorsPerCluster - this.#usedSectors, (bytes.length - at) / blockBytes);
      this.#usedSectors += count;
      at += count * blockBytes;
    }
    await writeRun();
    return at;
  }

  async #nextCluster(): Promise<boolean> {
    const next = await this.#part.table.allocate(this.#cluster);
    if (next === undefined) return false;
    if (this.#first === 0) this.#first = next;
    this.#cluster = next;
    this.#usedSectors = 0;
    return true;
  }
}
