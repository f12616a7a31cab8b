import { crc32 } from 'node:zlib';
import { parseCInteger } from '../config/expression.ts';
import { unsetBlockCount } from '../config/schema.ts';
import type { Section } from '../config/section.ts';
import { configError, fromByteString } from '../config/source-text.ts';

/**
 * A GUID partition table as fwup writes it: a protective MBR at block 0, the header at block 1 and 128 entries of 128
 * bytes in blocks 2 to 33; the same entries and header again at the end of the disk.
 */
export interface GptPartition {
  readonly index: number; // 0..15
  readonly typeGuid: Buffer;
  readonly guid: Buffer;
  readonly firstBlock: number;
  readonly blockCount: number;
  readonly flags: bigint;
  readonly name: string;
  readonly expand: boolean;
}

export interface GptTable {
  readonly diskGuid: Buffer;
  readonly partitions: readonly GptPartition[];
}

const maxPartitions = 16;
const entryCount = 128;
const entryBytes = 128;
const headerBytes = 92;
/** Blocks of one table: the entries and their header. */
const tableBlocks = 33;
const maxNameLength = 36;
const bootFlag = 4n; // legacy BIOS bootable
export const gptUnits = 2 * tableBlocks * 512;

/** Reads and checks a gpt section. `boot` becomes a bit of `flags`, in the section too: so it stands in meta.conf. */
export function gptTable(section: Section): GptTable {
  const diskGuid = parseGuid(section.text('guid'));
  if (!diskGuid) throw configError(section.placeOf('guid'), 'GPT must have a valid disk guid');
  const partitions = section.all('partition').map(readPartition);
  if (new Set(partitions.map(({ index }) => index)).size !== partitions.length) {
    throw configError(section.place, 'invalid or duplicate partition number found');
  }
  if (partitions.length === 0) throw configError(section.place, 'empty partition table?');
  partitions.sort((a, b) => a.index - b.index);
  checkLayout(partitions, section);
  return { diskGuid, partitions };
}

function readPartition(section: Section): GptPartition {
  const index = Number(parseCInteger(section.title) ?? maxPartitions);
  const fail = (option: string, message: string): never => {
    throw configError(section.placeOf(option), message);
  };
  if (index >= maxPartitions) fail('', `partition must be numbered 0 through ${maxPartitions - 1}`);
  const typeGuid = parseGuid(section.text('type')) ?? fail('type', `partition ${index}'s type must set to a UUID`);
  const guid = parseGuid(section.text('guid')) ?? fail('guid', `partition ${index} must have a valid guid`);
  const offset = section.text('block-offset') ?? '';
  if (offset === '') fail('block-offset', `partition ${index}'s block_offset is required`);
  const firstBlock = parseCInteger(offset) ?? fail('block-offset', `error parsing partition ${index}'s block offset`);
  if (firstBlock >= 0xffff_ffffn) {
    fail('block-offset', `partition ${index}'s block_offset must be positive and less than 2^32 - 1: '${offset}'`);
  }
  const blockCount = section.integer('block-count') ?? unsetBlockCount;
  if (blockCount < 0 || blockCount >= unsetBlockCount) {
    fail('block-count', `partition ${index}'s block-count must be specified and less than 2^31 - 1`);
  }
  return {
    index,
    typeGuid,
    guid,
    firstBlock: Number(firstBlock),
    blockCount,
    flags: readFlags(section, index),
    name: section.text('name') ?? '',
    expand: section.flag('expand'),
  };
}

function readFlags(section: Section, index: number): bigint {
  const flags = parseCInteger(section.text('flags') ?? '0');
  if (flags === undefined || flags > 0xffff_ffff_ffff_ffffn) {
    throw configError(section.placeOf('flags'), `error parsing partition ${index}'s flags`);
  }
  if (!section.flag('boot')) return flags;
  section.set('flags', `0x${(flags | bootFlag).toString(16)}`, section.placeOf('flags'));
  section.set('boot', false, section.placeOf('boot'));
  return flags | bootFlag;
}

function checkLayout(partitions: readonly GptPartition[], section: Section): void {
  let expanding = false;
  for (const first of partitions) {
    if (first.blockCount === 0 && !first.expand) continue;
    if (expanding) {
      throw configError(section.place, `a partition can't be specified after the one with "expand = true"`);
    }
    expanding = first.expand;
    for (const second of partitions) {
      if (second !== first) checkApart(first, second, section);
    }
  }
}

function checkApart(first: GptPartition, second: GptPartition, section: Section): void {
  if (first.firstBlock >= endOf(second) || second.firstBlock >= endOf(first)) return;
  const range = (partition: GptPartition): string =>
    `${partition.index} (blocks ${partition.firstBlock} to ${endOf(partition)})`;
  throw configError(section.place, `partitions ${range(first)} and ${range(second)} overlap`);
}

const endOf = ({ firstBlock, blockCount }: GptPartition): number => firstBlock + blockCount;

/** Text to 16 bytes: the first three groups are little-endian. */
function parseGuid(text: string | undefined): Buffer | undefined {
  const groups = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(
    fromByteString(text ?? ''),
  );
  if (!groups) return undefined;
  const parts = groups.slice(1).map((hex) => Buffer.from(hex, 'hex'));
  return Buffer.concat(parts.map((bytes, index) => (index < 3 ? bytes.toReversed() : bytes)));
}

/** The blocks that this table needs at least: up to the end of its last partition, and the copy behind it. */
export function leastGptBlocks({ partitions }: GptTable): number {
  return Math.max(0, ...partitions.map(endOf)) + tableBlocks + 1;
}

/** The bytes for a disk of `diskBlocks` (0: unknown, then the smallest that holds them), the copy at the end first. */
export function encodeGpt(table: GptTable, diskBlocks: number): { block: number; bytes: Buffer }[] {
  const blocks = diskBlocks > 0 ? diskBlocks : leastGptBlocks(table);
  const entries = encodeEntries(table, blocks);
  const header = (at: { current: number; backup: number; entries: number }): Buffer =>
    encodeHeader(table.diskGuid, blocks, crc32(entries), at);
  const primary = header({ current: 1, backup: blocks - 1, entries: 2 });
  const backup = header({ current: blocks - 1, backup: 1, entries: blocks - tableBlocks });
  return [
    { block: blocks - tableBlocks, bytes: Buffer.concat([entries, backup]) },
    { block: 0, bytes: Buffer.concat([protectiveMbr(blocks), primary, entries]) },
  ];
}

/** One partition of type 0xee over the whole disk keeps old tools away. */
function protectiveMbr(diskBlocks: number): Buffer {
  const sector = Buffer.alloc(512);
  Buffer.from('00000200eeffffff', 'hex').copy(sector, 446);
  sector.writeUInt32LE(1, 454);
  sector.writeUInt32LE((diskBlocks - 1) >>> 0, 458);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** 16 type guid, 16 guid, u64 first block, u64 last block, u64 flags, 72 name (UTF-16LE). */
function encodeEntries({ partitions }: GptTable, diskBlocks: number): Buffer {
  const out = Buffer.alloc(entryCount * entryBytes);
  for (const partition of partitions) {
    const at = partition.index * entryBytes;
    const room = diskBlocks - tableBlocks - 1 - partition.firstBlock;
    const grows = partition.expand && diskBlocks > endOf(partition) + tableBlocks;
    const blockCount = grows ? room : partition.blockCount;
    partition.typeGuid.copy(out, at);
    partition.guid.copy(out, at + 16);
    out.writeBigUInt64LE(BigInt(partition.firstBlock), at + 32);
    out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(partition.firstBlock + blockCount - 1)), at + 40);
    out.writeBigUInt64LE(partition.flags, at + 48);
    // Byte by byte, as fwup: the name is taken for ASCII.
    const name = Buffer.from(partition.name.slice(0, maxNameLength), 'latin1');
    for (const [index, byte] of name.entries()) out[at + 56 + index * 2] = byte;
  }
  return out;
}

/**
 * "EFI PART", u32 revision 1.0, u32 size, u32 CRC of this header, u32 0, u64 own block, u64 other header's block,
 * u64 first usable, u64 last usable, 16 disk guid, u64 block of the entries, u32 entries, u32 entry size, u32 their CRC.
 */
function encodeHeader(
  diskGuid: Buffer,
  diskBlocks: number,
  entriesCrc: number,
  at: { current: number; backup: number; entries: number },
): Buffer {
  const out = Buffer.alloc(512);
  out.write('EFI PART', 0, 'latin1');
  out.writeUInt32LE(0x0001_0000, 8);
  out.writeUInt32LE(headerBytes, 12);
  out.writeBigUInt64LE(BigInt(at.current), 24);
  out.writeBigUInt64LE(BigInt(at.backup), 32);
  out.writeBigUInt64LE(BigInt(tableBlocks + 1), 40);
  out.writeBigUInt64LE(BigInt(diskBlocks - tableBlocks - 1), 48);
  diskGuid.copy(out, 56);
  out.writeBigUInt64LE(BigInt(at.entries), 72);
  out.writeUInt32LE(entryCount, 80);
  out.writeUInt32LE(entryBytes, 84);
  out.writeUInt32LE(entriesCrc, 88);
  out.writeUInt32LE(crc32(out.subarray(0, headerBytes)), 16);
  return out;
}
