import type { ByteString } from '../../config/source-text.ts';
import { blockBytes, type SegmentCache } from '../segment-cache.ts';
import { AllocationTable } from './allocation-table.ts';
import { byteOf, unicodeOf, upperOf } from './code-page.ts';
import { Directory, type Found, type VolumePart } from './directory.ts';
import { attribute, encodeDots, Entry } from './entry.ts';
import { FatFault } from './fat-fault.ts';
import { FileReader } from './file-reader.ts';
import { FileWriter } from './file-writer.ts';
import { formatVolume, layoutVolume } from './format.ts';
import { entryBytes, readGeometry, sectorOf } from './geometry.ts';
import { parseName, pathParts, type FatName } from './name.ts';
import { SectorStore } from './sector-store.ts';

const forbiddenInLabel = /[+.,;=[\]/*:<>|\\"?\x7f]/;
const labelBytes = 11;
const settable = attribute.readOnly | attribute.hidden | attribute.system;

/** Where a path leads: its last name and the directory that has it, or would get it. */
interface Target {
  readonly directory: Directory;
  readonly name: FatName;
  readonly found: Found | undefined;
}

/**
 * One FAT file system on the disk. Operations read what they need and leave everything written (to the cache), so that
 * other actions may write between them; only where the last cluster was taken is remembered. Paths are byte strings
 * in code page 850. Faults are thrown as FatFault, before anything was changed wherever that can be known.
 */
export class FatVolume {
  readonly #cache: SegmentCache;
  readonly #block: number;
  #boot: Buffer | undefined;
  #part: VolumePart | undefined;
  /** First clusters of files that are being read: nobody may free them. */
  readonly #inUse = new Map<number, number>();

  constructor(cache: SegmentCache, block: number) {
    this.#cache = cache;
    this.#block = block;
  }

  async format(sectors: number): Promise<void> {
    this.#part = undefined;
    await formatVolume(this.#cache, this.#block, layoutVolume(sectors));
  }

  /** Fine if the directory is there already; its parents are not made. */
  async mkdir(path: ByteString): Promise<void> {
    const part = await this.#mount();
    const { directory, name, found } = await this.#target(part, path, 'exists');
    if (found?.entry.isDirectory) return;
    if (found) throw new FatFault('exists');
    const { geometry, store, table } = part;
    const isFat32 = geometry.type === 32;
    const cluster = await table.allocate(0);
    if (cluster === undefined) throw new FatFault('denied');
    const content = Buffer.alloc(geometry.sectorsPerCluster * blockBytes);
    encodeDots('.', cluster, isFat32).copy(content);
    encodeDots('..', directory.cluster, isFat32).copy(content, entryBytes);
    await store.write(sectorOf(geometry, cluster), content);
    const made = await directory.add(name);
    made.change((entry) => {
      entry.setModified();
      entry.setFirstCluster(cluster, isFat32);
      entry.attributes = attribute.directory;
    });
    await this.#store(part, directory);
  }

  /** A file, or a directory that is empty. */
  async remove(path: ByteString): Promise<void> {
    const part = await this.#mount();
    const found = await this.#existing(part, path);
    const { entry, directory } = found;
    if (entry.isReadOnly) throw new FatFault('denied');
    const cluster = entry.firstCluster(part.geometry.type === 32);
    this.#requireFree(cluster);
    if (entry.isDirectory && !(await Directory.open(part, cluster)).isEmpty) throw new FatFault('denied');
    directory.remove(found);
    if (cluster !== 0) await part.table.release(cluster);
    await this.#store(part, directory);
  }

  /** To a name that is free, in any directory. A directory never gets below itself. */
  async move(from: ByteString, to: ByteString): Promise<void> {
    const part = await this.#mount();
    const isFat32 = part.geometry.type === 32;
    const old = await this.#existing(part, from);
    const saved = new Entry(Buffer.from(old.entry.bytes));
    const own = saved.isDirectory ? saved.firstCluster(isFat32) : undefined;
    const target = await this.#target(part, to, 'exists', { shared: old.directory, forbidden: own });
    const { directory, found } = target;
    if (found && (found.directory !== old.directory || found.index !== old.index)) throw new FatFault('exists');
    const made = await directory.add(target.name);
    made.change((entry) => {
      saved.bytes.copy(entry.bytes, 13, 13);
      entry.attributes = saved.isDirectory ? saved.attributes : saved.attributes | attribute.archive;
    });
    if (own !== undefined && directory !== old.directory) {
      const child = await Directory.open(part, own);
      const dots = child.entryAt(1);
      if (dots.bytes.toString('latin1', 0, 2) === '..') {
        dots.setFirstCluster(directory.cluster, isFat32);
        child.touch(1);
        await child.flush();
      }
    }
    old.directory.remove(old);
    await old.directory.flush();
    await this.#store(part, directory);
  }

  /** Sets exactly these of read-only, hidden and system. */
  async setAttributes(path: ByteString, attributes: number): Promise<void> {
    const part = await this.#mount();
    const found = await this.#existing(part, path);
    found.change((entry) => {
      entry.attributes = (entry.attributes & ~settable) | (attributes & settable);
    });
    await this.#store(part, found.directory);
  }

  /** The entry of the root directory, not the field of the boot sector. An empty label takes it away. */
  async setLabel(label: ByteString): Promise<void> {
    const part = await this.#mount();
    const bytes = encodeLabel(label);
    const root = await Directory.open(part, 0);
    const existing = root.findLabel();
    if (existing) existing.bytes.set(bytes ?? [0xe5]);
    else if (bytes) {
      const index = await root.allocate(1);
      const entry = root.entryAt(index);
      entry.bytes.fill(0);
      entry.bytes.set(bytes);
      entry.attributes = attribute.label;
      root.touch(index);
    }
    await this.#store(part, root);
  }

  /** An empty file, if there is none. */
  async touch(path: ByteString): Promise<void> {
    const part = await this.#mount();
    const target = await this.#target(part, path, 'invalid-name');
    if (target.found) requireWritable(target.found);
    else await this.#create(part, target);
  }

  /** A new file, or an old one emptied; its clusters are the first to be taken again. */
  async write(path: ByteString): Promise<FileWriter> {
    const part = await this.#mount();
    const target = await this.#target(part, path, 'invalid-name');
    if (!target.found) return new FileWriter(part, await this.#create(part, target));
    requireWritable(target.found);
    const isFat32 = part.geometry.type === 32;
    const cluster = target.found.entry.firstCluster(isFat32);
    this.#requireFree(cluster);
    initialize(target.found, isFat32);
    if (cluster !== 0) {
      await part.table.release(cluster);
      part.table.searchFrom(cluster);
    }
    await this.#store(part, target.found.directory);
    return new FileWriter(part, target.found);
  }

  /** Until the reader is closed the file cannot be replaced or removed. */
  async open(path: ByteString): Promise<FileReader> {
    const part = await this.#mount();
    const { entry } = await this.#existing(part, path);
    if (entry.isDirectory) throw new FatFault('no-file');
    const cluster = entry.firstCluster(part.geometry.type === 32);
    const count = (change: number): void => void this.#inUse.set(cluster, (this.#inUse.get(cluster) ?? 0) + change);
    const reader = await FileReader.open(part, entry, () => count(-1));
    count(1);
    return reader;
  }

  /** Whether both paths lead to the same entry. */
  async isSame(one: ByteString, other: ByteString): Promise<boolean> {
    const part = await this.#mount();
    const first = await this.#target(part, one, 'invalid-name');
    const second = await this.#target(part, other, 'invalid-name');
    if (!first.found || !second.found) return false;
    return first.directory.cluster === second.directory.cluster && first.found.index === second.found.index;
  }

  /** Mounts, or goes on with what is mounted if the boot sector is still the same. */
  async #mount(): Promise<VolumePart> {
    const store = new SectorStore(this.#cache, this.#block);
    const boot = await store.read(0);
    if (this.#part && this.#boot?.equals(boot)) {
      this.#part.table.forget();
      return this.#part;
    }
    const geometry = readGeometry(boot);
    const table = new AllocationTable(store, geometry);
    await table.loadInfo();
    this.#boot = boot;
    this.#part = { store, table, geometry };
    return this.#part;
  }

  async #store({ table }: VolumePart, directory: Directory): Promise<void> {
    await directory.flush();
    await table.flush();
  }

  /**
   * Follows a path. The root itself has no name: `atRoot` is the fault then. `shared` stands for the directory that it
   * is, so that one directory is not in memory twice; a path through the directory `forbidden` is denied.
   */
  async #target(
    part: VolumePart,
    path: ByteString,
    atRoot: 'exists' | 'invalid-name',
    { shared, forbidden }: { shared?: Directory; forbidden?: number | undefined } = {},
  ): Promise<Target> {
    const parts = pathParts(path);
    const last = parts.pop();
    if (last === undefined) throw new FatFault(atRoot);
    const enter = async (cluster: number): Promise<Directory> => {
      if (forbidden !== undefined && cluster === forbidden) throw new FatFault('denied');
      return shared?.cluster === cluster ? shared : Directory.open(part, cluster);
    };
    let directory = await enter(0);
    for (const each of parts) {
      const found = directory.find(parseName(each));
      if (!found?.entry.isDirectory) throw new FatFault('no-path');
      directory = await enter(found.entry.firstCluster(part.geometry.type === 32));
    }
    const name = parseName(last);
    return { directory, name, found: directory.find(name) };
  }

  async #existing(part: VolumePart, path: ByteString): Promise<Found> {
    const { found } = await this.#target(part, path, 'invalid-name');
    if (!found) throw new FatFault('no-file');
    return found;
  }

  async #create(part: VolumePart, { directory, name }: Target): Promise<Found> {
    const made = await directory.add(name);
    initialize(made, part.geometry.type === 32);
    await this.#store(part, directory);
    return made;
  }

  #requireFree(cluster: number): void {
    if (cluster !== 0 && (this.#inUse.get(cluster) ?? 0) > 0) throw new FatFault('locked');
  }
}

function requireWritable({ entry }: Found): void {
  if (entry.isReadOnly || entry.isDirectory) throw new FatFault('denied');
}

/** An empty file of this moment. */
function initialize(found: Found, isFat32: boolean): void {
  found.change((entry) => {
    entry.setCreated();
    entry.setModified();
    entry.clearAccessed();
    entry.attributes = attribute.archive;
    entry.setFirstCluster(0, isFat32);
    entry.size = 0;
  });
}

/** Upper case, filled with spaces; undefined for an empty one. */
function encodeLabel(label: ByteString): Buffer | undefined {
  const units = Array.from(Buffer.from(label, 'latin1'), (byte) => upperOf(unicodeOf(byte)));
  const text = units.join('');
  const bytes = units.map(byteOf);
  const isSound = bytes.every((byte) => byte !== undefined && byte >= 0x20) && !forbiddenInLabel.test(text);
  if (!isSound || bytes.length > labelBytes || bytes[0] === 0xe5) throw new FatFault('invalid-name');
  const out = Buffer.alloc(labelBytes, ' ');
  out.set(bytes as number[]);
  return text.trimEnd() === '' ? undefined : out;
}
