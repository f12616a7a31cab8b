import { blockBytes, segmentBytes, type SegmentCache } from '../segment-cache.ts';
import { FatFault } from './fat-fault.ts';
import { entryBytes, maxClusters, type FatType } from './geometry.ts';
import { SectorStore } from './sector-store.ts';

/** What fwup asks for: one sector a cluster, so that even a small file system can be FAT32, two FATs, 512 root entries. */
const fatCount = 2;
const rootEntries = 512;
const rootSectors = (rootEntries * entryBytes) / blockBytes;
const minSectors = 128;
const minDataSectors = 16;
/** The volume's serial number is its size plus this: the time stamp of 1980-01-01. */
const serialBase = 0x0021_0000;

export interface NewVolume {
  readonly type: FatType;
  readonly sectors: number;
  readonly reserved: number;
  readonly fatSectors: number;
  readonly rootSectors: number;
  readonly clusters: number;
}

/** Type and layout for so many sectors. Throws for sizes that give none: too small, or between two types. */
export function layoutVolume(sectors: number): NewVolume {
  const abort = (): never => {
    throw new FatFault('format-aborted');
  };
  if (sectors < minSectors || sectors > maxClusters[32]) abort();
  const first = laidOut(sectors <= maxClusters[12] ? 12 : 16, sectors);
  const volume = first.type === 16 && first.clusters > maxClusters[16] ? laidOut(32, sectors) : first;
  const { type, clusters, reserved, fatSectors } = volume;
  const dataStart = reserved + fatSectors * fatCount + volume.rootSectors;
  if (sectors < dataStart + minDataSectors) abort();
  if (type === 16 && clusters <= maxClusters[12]) abort();
  if (type === 32 && clusters <= maxClusters[16]) abort();
  return volume;
}

function laidOut(type: FatType, sectors: number): NewVolume {
  const fatBytes = { 12: Math.floor((sectors * 3 + 1) / 2) + 3, 16: sectors * 2 + 4, 32: sectors * 4 + 8 }[type];
  const fatSectors = Math.ceil(fatBytes / blockBytes);
  const reserved = type === 32 ? 32 : 1;
  const root = type === 32 ? 0 : rootSectors;
  const clusters = sectors - reserved - fatCount * fatSectors - root;
  return { type, sectors, reserved, fatSectors, rootSectors: root, clusters };
}

/**
 * Makes an empty file system. The range is trimmed first; its last block becomes 0xff, which shows that it can be
 * written and gives an image its size. Other data clusters keep no old contents only where whole segments were trimmed.
 */
export async function formatVolume(cache: SegmentCache, block: number, volume: NewVolume): Promise<void> {
  const { sectors, type, reserved, fatSectors } = volume;
  cache.trim(block * blockBytes, sectors * blockBytes);
  await cache.write((block + sectors - 1) * blockBytes, Buffer.alloc(blockBytes, 0xff));
  const store = new SectorStore(cache, block);
  const boot = bootSector(volume);
  await store.write(0, boot);
  if (type === 32) {
    await store.write(6, boot);
    const info = encodeFsInfo({ free: volume.clusters - 1, last: 2 });
    await store.write(7, info);
    await store.write(1, info);
  }
  for (let copy = 0; copy < fatCount; copy++) {
    const start = reserved + copy * fatSectors;
    await writeZeros(store, start, fatSectors);
    await store.write(start, fatHead[type]());
  }
  await writeZeros(store, reserved + fatCount * fatSectors, type === 32 ? 1 : rootSectors);
}

/** See `readGeometry` for the fields; behind them drive 80, 0, 29, u32 serial, label, name of the type. */
function bootSector({ type, sectors, reserved, fatSectors }: NewVolume): Buffer {
  const boot = Buffer.alloc(blockBytes);
  boot.write('\xeb\xfe\x90MSDOS5.0', 'latin1');
  boot.writeUInt16LE(blockBytes, 11);
  boot[13] = 1;
  boot.writeUInt16LE(reserved, 14);
  boot[16] = fatCount;
  boot.writeUInt16LE(type === 32 ? 0 : rootEntries, 17);
  if (sectors < 0x10000) boot.writeUInt16LE(sectors, 19);
  else boot.writeUInt32LE(sectors, 32);
  boot[21] = 0xf8;
  boot.writeUInt16LE(63, 24);
  boot.writeUInt16LE(255, 26);
  if (type === 32) {
    boot.writeUInt32LE(fatSectors, 36);
    boot.writeUInt32LE(2, 44);
    boot.writeUInt16LE(1, 48);
    boot.writeUInt16LE(6, 50);
  } else boot.writeUInt16LE(fatSectors, 22);
  const tail = type === 32 ? 64 : 36;
  boot[tail] = 0x80;
  boot[tail + 2] = 0x29;
  boot.writeUInt32LE((sectors + serialBase) >>> 0, tail + 3);
  boot.write(`NO NAME    FAT${type}   `, tail + 7, 'latin1');
  boot.writeUInt16LE(0xaa55, 510);
  return boot;
}

/** FAT32's sector 1: at 0 "RRaA", 484 "rrAa", 488 u32 free clusters, 492 u32 last one allocated, 510 55 AA. */
export function encodeFsInfo({ free, last }: { free: number; last: number }): Buffer {
  const info = Buffer.alloc(blockBytes);
  info.write('RRaA', 'latin1');
  info.write('rrAa', 484, 'latin1');
  info.writeUInt32LE(free >>> 0, 488);
  info.writeUInt32LE(last >>> 0, 492);
  info.writeUInt16LE(0xaa55, 510);
  return info;
}

/** The first sector of an empty FAT: the entries 0 and 1 are no clusters; in FAT32 cluster 2 is the root directory. */
const fatHead: Record<FatType, () => Buffer> = {
  12: () => headOf('f8ffff'),
  16: () => headOf('f8ffffff'),
  32: () => headOf('f8ffffffffffffffffffff0f'),
};

function headOf(hex: string): Buffer {
  const sector = Buffer.alloc(blockBytes);
  sector.write(hex, 'hex');
  return sector;
}

async function writeZeros(store: SectorStore, first: number, count: number): Promise<void> {
  const zeros = Buffer.alloc(segmentBytes);
  for (let done = 0; done < count;) {
    const sectors = Math.min(count - done, segmentBytes / blockBytes);
    await store.write(first + done, zeros.subarray(0, sectors * blockBytes));
    done += sectors;
  }
}
