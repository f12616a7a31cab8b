/**
 * FAT read the slow and obvious way, by Microsoft's specification alone (fatgen103): the witness for the engine's own
 * file system. It shares no code with it, keeps nothing, and throws at anything that is not as it must be.
 */
import { strict as assert } from 'node:assert';

export interface FatFile {
  isDirectory: boolean;
  content: Buffer;
  attributes: number;
  /** `NAME.EXT` as stored, without regard to the case flags. */
  shortName: string;
  cluster: number;
}

export interface FatTree {
  type: 12 | 16 | 32;
  label: string | undefined;
  /** By path with a leading slash, each directory before what it holds. */
  files: Map<string, FatFile>;
  freeClusters: number;
  /** What FSInfo of FAT32 says. */
  saidFree: number | undefined;
}

export function readFatTree(image: Buffer, offset: number): FatTree {
  const volume = image.subarray(offset);
  const sector = (index: number, count = 1): Buffer => volume.subarray(index * 512, (index + count) * 512);
  const boot = sector(0);
  assert.equal(boot.readUInt16LE(510), 0xaa55);
  assert.equal(boot.readUInt16LE(11), 512);
  const perCluster = boot.readUInt8(13);
  const reserved = boot.readUInt16LE(14);
  const fats = boot.readUInt8(16);
  const rootEntries = boot.readUInt16LE(17);
  const total = boot.readUInt16LE(19) || boot.readUInt32LE(32);
  const fatSectors = boot.readUInt16LE(22) || boot.readUInt32LE(36);
  const rootStart = reserved + fats * fatSectors;
  const dataStart = rootStart + rootEntries / 16;
  const clusters = Math.floor((total - dataStart) / perCluster);
  const type = clusters < 4085 ? 12 : clusters < 65_525 ? 16 : 32;
  const table = sector(reserved, fatSectors);
  for (let copy = 1; copy < fats; copy++) assert(table.equals(sector(reserved + copy * fatSectors, fatSectors)), 'the FATs differ'); // prettier-ignore

  const next = (cluster: number): number => {
    assert(cluster >= 2 && cluster < clusters + 2, `no cluster ${cluster}`);
    if (type === 32) return table.readUInt32LE(cluster * 4) & 0x0fffffff;
    if (type === 16) return table.readUInt16LE(cluster * 2);
    const pair = table.readUInt16LE(cluster + (cluster >> 1));
    return cluster % 2 === 1 ? pair >> 4 : pair & 0xfff;
  };
  const endMark = type === 32 ? 0x0ffffff8 : type === 16 ? 0xfff8 : 0xff8;
  const owners = new Map<number, string>();
  const chain = (first: number, owner: string): number[] => {
    const found: number[] = [];
    for (let cluster = first; cluster < endMark; cluster = next(cluster)) {
      assert(!owners.has(cluster), `${owner} and ${owners.get(cluster)} share cluster ${cluster}`);
      owners.set(cluster, owner);
      found.push(cluster);
    }
    return found;
  };
  const contentOf = (first: number, owner: string): Buffer =>
    Buffer.concat(chain(first, owner).map((cluster) => sector(dataStart + (cluster - 2) * perCluster, perCluster)));

  const files = new Map<string, FatFile>();
  let label: string | undefined;
  const readDirectory = (bytes: Buffer, path: string, self: number, parent: number): void => {
    let long: { text: string; left: number; checksum: number } | undefined;
    const names = new Set<string>();
    for (let at = 0; at < bytes.length; at += 32) {
      const entry = bytes.subarray(at, at + 32);
      const first = entry.readUInt8(0);
      if (first === 0) {
        assert(long === undefined, `a long name without a short one at the end of ${path}`);
        break;
      }
      if (first === 0xe5) {
        assert(long === undefined, `a long name before a deleted entry in ${path}`);
        continue;
      }
      const attributes = entry.readUInt8(11);
      if (attributes === 0x0f) {
        if ((first & 0x40) !== 0) {
          assert(long === undefined);
          long = { text: '', left: (first & 0x3f) + 1, checksum: entry.readUInt8(13) };
        }
        assert(long !== undefined && (first & 0x3f) === long.left - 1 && entry.readUInt8(13) === long.checksum);
        long.left--;
        const units = [entry.subarray(1, 11), entry.subarray(14, 26), entry.subarray(28, 32)];
        const text = Buffer.concat(units).toString('utf16le');
        long.text = text.replace(/\0.*$/su, '') + long.text;
        continue;
      }
      if ((attributes & 0x08) !== 0) {
        assert(path === '' && label === undefined && long === undefined, 'a label where none may be');
        label = entry.toString('latin1', 0, 11).trimEnd();
        continue;
      }
      const raw = entry.subarray(0, 11);
      const base = raw.toString('latin1', 0, 8).trimEnd();
      const extension = raw.toString('latin1', 8, 11).trimEnd();
      const cluster = entry.readUInt16LE(26) + (type === 32 ? entry.readUInt16LE(20) * 65_536 : 0);
      const isDirectory = (attributes & 0x10) !== 0;
      if (base.startsWith('.') && extension === '') {
        assert(path !== '' && isDirectory && long === undefined);
        assert.equal(cluster, base === '.' ? self : parent);
        continue;
      }
      const flags = entry.readUInt8(12);
      const shown = [
        (flags & 0x08) === 0 ? base : base.toLowerCase(),
        (flags & 0x10) === 0 ? extension : extension.toLowerCase(),
      ];
      const shortName = extension === '' ? base : `${base}.${extension}`;
      if (long !== undefined) {
        const checksum = raw.reduce((sum, byte) => (((sum & 1) === 1 ? 0x80 : 0) + (sum >> 1) + byte) & 0xff, 0);
        assert(long.left === 1 && long.checksum === checksum, `the long name ${long.text} is not of ${shortName}`);
      }
      const name = long?.text ?? (shown[1] === '' ? shown[0]! : shown.join('.'));
      long = undefined;
      for (const each of new Set([name.toUpperCase(), shortName])) {
        assert(!names.has(each), `${path} has ${each} twice`);
        names.add(each);
      }
      const own = `${path}/${name}`;
      const size = entry.readUInt32LE(28);
      if (isDirectory) {
        assert.equal(size, 0);
        files.set(own, { isDirectory, content: Buffer.alloc(0), attributes, shortName, cluster });
        readDirectory(contentOf(cluster, own), own, cluster, self);
        continue;
      }
      assert.equal(cluster === 0, size === 0, `${own}: ${size} bytes and cluster ${cluster}`);
      const content = cluster === 0 ? Buffer.alloc(0) : contentOf(cluster, own);
      assert.equal(content.length, Math.ceil(size / (perCluster * 512)) * perCluster * 512, `the chain of ${own}`);
      files.set(own, { isDirectory, content: content.subarray(0, size), attributes, shortName, cluster });
    }
  };
  const root = type === 32 ? contentOf(boot.readUInt32LE(44), '/') : sector(rootStart, rootEntries / 16);
  readDirectory(root, '', 0, 0);

  let freeClusters = 0;
  for (let cluster = 2; cluster < clusters + 2; cluster++) {
    const value = next(cluster);
    if (value === 0) freeClusters++;
    assert.equal(value === 0, !owners.has(cluster), `cluster ${cluster} is lost, or free and used`);
  }
  const info = type === 32 ? sector(boot.readUInt16LE(48)) : undefined;
  return { type, label, files, freeClusters, saidFree: info?.readUInt32LE(488) };
}
