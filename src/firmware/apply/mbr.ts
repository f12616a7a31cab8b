import { parseBlockNumber } from '../config/call-spec.ts';
import { parseCInteger } from '../config/expression.ts';
import { unsetBlockCount } from '../config/schema.ts';
import type { Section } from '../config/section.ts';
import { configError } from '../config/source-text.ts';
import { encodeOsip } from './osip.ts';

/**
 * A DOS partition table as fwup writes it: block 0, and one extended boot record (EBR) for each logical partition,
 * all of them in a row at the start of the extended partition 3.
 */
export interface MbrPartition {
  readonly index: number; // 0..3 primary, 4..11 logical
  readonly type: number;
  readonly boot: boolean;
  readonly expand: boolean;
  readonly firstBlock: number;
  readonly blockCount: number;
}

export interface MbrTable {
  /** 440 bytes; OSIP or boot code or zeros. */
  readonly head: Buffer;
  readonly signature: number;
  readonly partitions: readonly MbrPartition[];
  readonly section: Section;
}

const extendedTypes = [0x05, 0x0f];
const maxPartitionIndex = 11;
const bootCodeBytes = 440;

/** Reads and checks an mbr section; the overlaps are judged as if the disk ended with its last partition. */
export function mbrTable(section: Section): MbrTable {
  const partitions = section.all('partition').map(readPartition);
  const table: MbrTable = { head: readHead(section), signature: readSignature(section), partitions, section };
  checkOrder(table);
  placePartitions(table, 0);
  return table;
}

function readPartition(section: Section): MbrPartition {
  const index = parseBlockNumber(section.title) ?? -1;
  const fail = (option: string, message: string): never => {
    throw configError(section.placeOf(option), message);
  };
  if (index < 0 || index > maxPartitionIndex) fail('', 'partition must be numbered 0 through 11');
  const type = section.integer('type') ?? -1;
  if (type < 0 || type > 0xff) fail('type', `partition ${index}'s type must be between 0 and 255`);
  const firstBlock = parseBlockNumber(section.text('block-offset') ?? '') ?? -1;
  if (firstBlock < 0 || firstBlock >= 0xffff_ffff) {
    fail('block-offset', `partition ${index}'s block-offset must be specified and less than 2^32 - 1`);
  }
  const extended = index === 3 && extendedTypes.includes(type);
  let blockCount = section.integer('block-count') ?? unsetBlockCount;
  if (extended && blockCount === unsetBlockCount) blockCount = 1;
  if (blockCount < 0 || blockCount >= unsetBlockCount) {
    fail('block-count', `partition ${index}'s block-count must be specified and less than 2^31 - 1`);
  }
  const boot = section.flag('boot') && !extended;
  return { index, type, boot, expand: section.flag('expand') || extended, firstBlock, blockCount };
}

function readSignature(section: Section): number {
  const text = section.text('signature') ?? '0';
  const value = parseCInteger(text);
  if (value === undefined || value > 0xffff_ffffn) {
    throw configError(section.placeOf('signature'), `invalid signature '${text}'`, { expected: 'a 32-bit number' });
  }
  return Number(value);
}

function readHead(section: Section): Buffer {
  const hex = section.text('bootstrap-code') ?? '';
  const osip = section.flag('include-osip');
  if (hex !== '' && osip) {
    throw configError(section.placeOf('include-osip'), 'an OSIP header and boot code exclude each other');
  }
  if (osip) return encodeOsip(section, bootCodeBytes);
  if (hex === '') return Buffer.alloc(bootCodeBytes);
  if (!/^[0-9a-fA-F]{880}$/.test(hex)) {
    throw configError(section.placeOf('bootstrap-code'), 'bootstrap-code must be 440 bytes', {
      expected: '880 hex digits',
    });
  }
  return Buffer.from(hex, 'hex');
}

function checkOrder({ partitions, section }: MbrTable): void {
  const seen = new Set(partitions.map(({ index }) => index));
  const logical = partitions.filter(({ index }) => index > 3);
  const extended = partitions.some(({ index, type }) => index === 3 && extendedTypes.includes(type));
  if (seen.size !== partitions.length) throw configError(section.place, 'a partition is given twice');
  if (logical.length > 0 && !extended) {
    throw configError(section.place, 'to use more than 4 partitions with MBR, partition 3 must be an extended one', {
      expected: 'partition 3 with type = 0xf or 0x5',
      fwup: 'to use more than 4 partitions with MBR, partition 3 must have extended partition type 0xf or 0x5',
    });
  }
  for (let index = 4; index < 4 + logical.length; index++) {
    if (!seen.has(index)) throw configError(section.place, `logical partition ${index} is missing`);
  }
}

/** Grows what expands to `diskBlocks` (0: unknown, then to the largest end) and refuses overlaps. */
function placePartitions({ partitions, section }: MbrTable, diskBlocks: number): MbrPartition[] {
  const largestEnd = Math.max(0, ...partitions.filter(isUsed).map(endOf));
  const diskEnd = diskBlocks > 0 ? diskBlocks : largestEnd;
  const placed = partitions.map((partition) => {
    if (!partition.expand) return partition;
    const room = Math.min(diskEnd - partition.firstBlock, 0xffff_ffff);
    return { ...partition, blockCount: Math.max(partition.blockCount, room) };
  });
  const logical = placed.filter(({ index }) => index > 3);
  const extended = logical.length > 0 ? placed.find(({ index }) => index === 3) : undefined;
  const ranges = placed.filter(isUsed).filter((partition) => partition !== extended);
  if (extended) {
    checkRecords(extended, logical, section);
    ranges.push({ ...extended, blockCount: logical.length }); // the EBRs
  }
  ranges.sort((a, b) => a.index - b.index);
  for (const [position, first] of ranges.entries()) {
    for (const second of ranges.slice(position + 1)) checkApart(first, second, section);
  }
  const expanding = partitions.find(({ expand, index }) => expand && (index !== 3 || !extended));
  if (expanding && partitions.some(({ index }) => index > expanding.index)) {
    throw configError(section.place, `a partition can't be specified after the one with "expand = true"`);
  }
  return placed;
}

/** Logical partition number `order` of them has its record at block `order` of the extended one. */
function checkRecords(extended: MbrPartition, logical: readonly MbrPartition[], section: Section): void {
  for (const partition of logical) {
    const owner = logical.find(({ index }) => {
      const record = extended.firstBlock + index - 4;
      return record >= partition.firstBlock && record < endOf(partition);
    });
    if (!owner) continue;
    const range = `${partition.index} (blocks ${partition.firstBlock} to ${endOf(partition)})`;
    const record = extended.firstBlock + owner.index - 4;
    const message = `partition ${range} overlaps the EBR at ${record} for partition ${owner.index}`;
    throw configError(section.place, message);
  }
}

function checkApart(first: MbrPartition, second: MbrPartition, section: Section): void {
  if (first.firstBlock >= endOf(second) || second.firstBlock >= endOf(first)) return;
  const range = (partition: MbrPartition): string =>
    `${partition.index} (blocks ${partition.firstBlock} to ${endOf(partition)})`;
  throw configError(section.place, `partitions ${range(first)} and ${range(second)} overlap`);
}

const isUsed = ({ type, blockCount }: MbrPartition): boolean => type !== 0 && blockCount > 0;
const endOf = ({ firstBlock, blockCount }: MbrPartition): number => firstBlock + blockCount;

/** The blocks to write, in ascending order, for a disk of `diskBlocks` (0: unknown). */
export function encodeMbr(table: MbrTable, diskBlocks: number): { block: number; bytes: Buffer }[] {
  const placed = placePartitions(table, diskBlocks);
  const sector = Buffer.alloc(512);
  table.head.copy(sector);
  sector.writeUInt32LE(table.signature, 440);
  for (const partition of placed) if (partition.index < 4) writeEntry(sector, partition.index, partition);
  sector.writeUInt16LE(0xaa55, 510);
  const extended = placed.find(({ index }) => index === 3);
  const logical = placed.filter(({ index }) => index > 3).sort((a, b) => a.index - b.index);
  const records = logical.map((partition, order) => {
    const block = extended!.firstBlock + order;
    return { block, bytes: encodeEbr(partition, block, order, order + 1 < logical.length) };
  });
  return [{ block: 0, bytes: sector }, ...records];
}

function encodeEbr(partition: MbrPartition, block: number, order: number, more: boolean): Buffer {
  const sector = Buffer.alloc(512);
  writeEntry(sector, 0, { ...partition, boot: false, firstBlock: partition.firstBlock - block });
  if (more) writeEntry(sector, 1, { ...partition, boot: false, type: 0x0f, firstBlock: order + 1, blockCount: 1 });
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** 16 bytes: boot, CHS of the first block, type, CHS of the last, first block u32, count u32. */
function writeEntry(sector: Buffer, slot: number, { type, boot, firstBlock, blockCount }: MbrPartition): void {
  const at = 446 + slot * 16;
  if (type !== 0) {
    sector[at] = boot ? 0x80 : 0;
    writeChs(sector, at + 1, firstBlock);
    sector[at + 4] = type;
    writeChs(sector, at + 5, firstBlock + blockCount - 1);
  }
  sector.writeUInt32LE(firstBlock, at + 8);
  sector.writeUInt32LE(blockCount, at + 12);
}

/** Geometry 255 heads, 63 sectors; blocks past its end get zeros. */
function writeChs(sector: Buffer, at: number, block: number): void {
  if (block > 16_434_495) return;
  const cylinder = Math.floor(block / 16_065);
  sector[at] = Math.floor(block / 63) % 255;
  sector[at + 1] = ((cylinder >> 2) & 0xc0) | ((block % 63) + 1);
  sector[at + 2] = cylinder & 0xff;
}
