import { blockBytes } from '../segment-cache.ts';
import { FatFault } from './fat-fault.ts';

export const fatTypes = [12, 16, 32] as const;
export type FatType = (typeof fatTypes)[number];

/** Most clusters that a type has. Readers tell the type by nothing else. */
export const maxClusters: Record<FatType, number> = { 12: 0xff5, 16: 0xfff5, 32: 0x0fff_fff5 };
export const entryBytes = 32;
const entriesInSector = blockBytes / entryBytes;

/** Where everything is, in sectors of 512 bytes from the start of the file system. */
export interface Geometry {
  readonly type: FatType;
  readonly totalSectors: number;
  readonly sectorsPerCluster: number;
  readonly fatStart: number;
  readonly fatSectors: number;
  /** 1 or 2 equal copies. */
  readonly fatCount: number;
  /** FAT12 and FAT16: the root directory has a place of its own before the data. */
  readonly rootStart: number;
  readonly rootEntries: number;
  /** FAT32: its first cluster. 0 otherwise. */
  readonly rootCluster: number;
  readonly dataStart: number;
  readonly clusters: number;
  /** FAT32 keeps the number of free clusters and the last one allocated in sector 1. */
  readonly hasFsInfo: boolean;
}

/** The first cluster number that is none: they count from 2. */
export const clusterEnd = ({ clusters }: Geometry): number => clusters + 2;

export function sectorOf({ dataStart, sectorsPerCluster }: Geometry, cluster: number): number {
  return dataStart + (cluster - 2) * sectorsPerCluster;
}

/**
 * Reads a boot sector, and refuses what is not one of FAT or has no sound geometry.
 *
 * At 0 jump (EB, E9 or E8), 11 u16 bytes in a sector, 13 u8 sectors in a cluster, 14 u16 reserved sectors, 16 u8 FATs,
 * 17 u16 root entries, 19 u16 sectors (0: see 32), 22 u16 sectors of a FAT (0: see 36), 32 u32 sectors; FAT32: 36 u32
 * sectors of a FAT, 42 u16 version, 44 u32 root cluster, 48 u16 sector of FSInfo; 510 55 AA.
 */
export function readGeometry(boot: Buffer): Geometry {
  const refuse = (): never => {
    throw new FatFault('no-volume');
  };
  const isFat32Name = boot.readUInt16LE(510) === 0xaa55 && boot.toString('latin1', 82, 90) === 'FAT32   ';
  const sectorsPerCluster = boot[13]!;
  const reserved = boot.readUInt16LE(14);
  const fatCount = boot[16]!;
  const rootEntries = boot.readUInt16LE(17);
  const totalSectors = boot.readUInt16LE(19) || boot.readUInt32LE(32);
  const fatSectors = boot.readUInt16LE(22) || boot.readUInt32LE(36);
  if (![0xeb, 0xe9, 0xe8].includes(boot[0]!) || boot.readUInt16LE(11) !== blockBytes) refuse();
  if (sectorsPerCluster === 0 || (sectorsPerCluster & (sectorsPerCluster - 1)) !== 0) refuse();
  if (reserved === 0 || fatCount < 1 || fatCount > 2 || rootEntries % entriesInSector !== 0) refuse();
  if (!isFat32Name && (rootEntries === 0 || boot.readUInt16LE(22) === 0 || totalSectors < 128)) refuse();
  const rootStart = reserved + fatSectors * fatCount;
  const dataStart = rootStart + rootEntries / entriesInSector;
  if (totalSectors < dataStart) refuse();
  const clusters = Math.floor((totalSectors - dataStart) / sectorsPerCluster);
  const type = fatTypes.find((candidate) => clusters <= maxClusters[candidate]);
  if (clusters === 0 || type === undefined) return refuse();
  if (type === 32 ? boot.readUInt16LE(42) !== 0 || rootEntries !== 0 : rootEntries === 0) refuse();
  const neededBytes = Math.ceil(((clusters + 2) * type) / 8);
  if (fatSectors < Math.ceil(neededBytes / blockBytes)) refuse();
  return {
    type,
    totalSectors,
    sectorsPerCluster,
    fatStart: reserved,
    fatSectors,
    fatCount,
    rootStart,
    rootEntries,
    rootCluster: type === 32 ? boot.readUInt32LE(44) : 0,
    dataStart,
    clusters,
    hasFsInfo: type === 32 && boot.readUInt16LE(48) === 1,
  };
}
