import { blockBytes } from '../segment-cache.ts';
import type { VolumePart } from './directory.ts';
import type { Entry } from './entry.ts';
import { FatFault } from './fat-fault.ts';
import { clusterEnd, sectorOf } from './geometry.ts';

/** Clusters in a row: `start` is the place of the first one in the file, in sectors. */
interface Run {
  readonly start: number;
  readonly sector: number;
  sectors: number;
}

const chunkBytes = 64 * 1024;

/** A file's bytes at any place, as they were when it was opened. */
export class FileReader {
  readonly sizeBytes: number;
  readonly #part: VolumePart;
  readonly #runs: readonly Run[];
  readonly #onClose: () => void;

  private constructor(part: VolumePart, file: { sizeBytes: number; runs: readonly Run[] }, onClose: () => void) {
    this.#part = part;
    this.sizeBytes = file.sizeBytes;
    this.#runs = file.runs;
    this.#onClose = onClose;
  }

  /** Follows the chain once; one that is shorter than the file is damage. */
  static async open(part: VolumePart, entry: Entry, onClose: () => void): Promise<FileReader> {
    const { geometry, table } = part;
    const sizeBytes = entry.size;
    const runs: Run[] = [];
    const needed = Math.ceil(sizeBytes / blockBytes);
    let cluster: number | undefined = entry.firstCluster(geometry.type === 32);
    for (let done = 0; done < needed; done += geometry.sectorsPerCluster) {
      if (cluster === undefined || cluster < 2 || cluster >= clusterEnd(geometry)) throw new FatFault('damaged');
      const last = runs.at(-1);
      const sector = sectorOf(geometry, cluster);
      if (last && last.sector + last.sectors === sector) last.sectors += geometry.sectorsPerCluster;
      else runs.push({ start: done, sector, sectors: geometry.sectorsPerCluster });
      if (done + geometry.sectorsPerCluster < needed) cluster = await table.next(cluster);
    }
    return new FileReader(part, { sizeBytes, runs }, onClose);
  }

  /** Fewer bytes than asked for where the file ends. */
  async read(offset: number, length: number): Promise<Buffer> {
    const end = Math.min(offset + length, this.sizeBytes);
    if (end <= offset) return Buffer.alloc(0);
    const out = Buffer.alloc(end - offset);
    for (let at = offset; at < end;) {
      const sector = Math.floor(at / blockBytes);
      const run = this.#runAt(sector);
      const count = Math.min(run.start + run.sectors, Math.ceil(end / blockBytes)) - sector;
      const bytes = await this.#part.store.read(run.sector + sector - run.start, count);
      const from = at - sector * blockBytes;
      const taken = Math.min(bytes.length - from, end - at);
      bytes.copy(out, at - offset, from, from + taken);
      at += taken;
    }
    return out;
  }

  async *chunks(): AsyncGenerator<Buffer, void> {
    for (let at = 0; at < this.sizeBytes; at += chunkBytes) yield await this.read(at, chunkBytes);
  }

  /** Once. From here on the file may be replaced and removed. */
  close(): void {
    this.#onClose();
  }

  #runAt(sector: number): Run {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#runs[middle]!.start <= sector) low = middle;
      else high = middle - 1;
    }
    return this.#runs[low]!;
  }
}
