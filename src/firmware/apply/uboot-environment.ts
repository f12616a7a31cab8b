import { crc32 } from 'node:zlib';
import { parseBlockNumber } from '../config/call-spec.ts';
import type { Section } from '../config/section.ts';
import { configError, type ByteString } from '../config/source-text.ts';
import { FlotillaError } from '../../error.ts';

/**
 * U-Boot's environment on a disk: u32 CRC32 of what follows the header, (redundant only: one flags byte, outside the
 * CRC), `name=value\0` sorted by name, `\0`, filled with 0xff. Two copies make it redundant: the flags count up
 * modulo 256 and the newer valid copy holds; every write goes to the other one, so a torn write loses nothing.
 */
export interface UbootLayout {
  readonly blockOffset: number;
  /** Blocks of 512 bytes in each copy. */
  readonly blockCount: number;
  readonly blockOffsetRedund?: number;
}

/** Where blocks come from and go to: a disk, or the cache in front of one. Offsets in bytes. */
export interface BlockStore {
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, bytes: Buffer): Promise<void>;
}

export type UbootVariables = Map<ByteString, ByteString>;

const maxBlockCount = 65_535;

export function ubootLayout(section: Section): UbootLayout {
  const blockOffset = parseBlockNumber(section.text('block-offset') ?? '');
  if (blockOffset === undefined) {
    throw configError(section.placeOf('block-offset'), 'block-offset must be specified', {
      expected: 'a block number',
    });
  }
  const blockCount = section.integer('block-count') ?? 0;
  if (blockCount <= 0 || blockCount >= maxBlockCount) {
    throw configError(
      section.placeOf('block-count'),
      'block-count must be specified, greater than 0 and less than 2^16 - 1',
    );
  }
  if (!section.has('block-offset-redund')) return { blockOffset, blockCount };
  const blockOffsetRedund = parseBlockNumber(section.text('block-offset-redund') ?? '');
  const place = section.placeOf('block-offset-redund');
  if (blockOffsetRedund === undefined) {
    throw configError(place, 'invalid block-offset-redund', { expected: 'a block number' });
  }
  if (Math.abs(blockOffsetRedund - blockOffset) < blockCount) {
    throw configError(place, "block-offset-redund can't overlap primary U-Boot environment");
  }
  return { blockOffset, blockCount, blockOffsetRedund };
}

/** An environment that was read: its variables, and which copy they came from. */
export interface LoadedEnvironment {
  readonly variables: UbootVariables;
  /** 0 the first copy, 1 the redundant one. */
  readonly copy: 0 | 1;
  readonly flags: number;
}

/** Throws `uboot-environment-invalid` when no copy has a valid CRC (a blank disk, too). */
export async function loadUbootEnvironment(store: BlockStore, layout: UbootLayout): Promise<LoadedEnvironment> {
  const bytes = layout.blockCount * 512;
  const first = decodeCopy(await store.read(layout.blockOffset * 512, bytes), isRedundant(layout));
  if (!isRedundant(layout)) {
    if (first.variables) return { variables: first.variables, copy: 0, flags: 0 };
    throw invalidEnvironment(layout, first);
  }
  const second = decodeCopy(await store.read(layout.blockOffsetRedund! * 512, bytes), true);
  const ahead = (second.flags - first.flags) & 0xff;
  const secondIsNewer = ahead >= 1 && ahead <= 127;
  if (second.variables && (secondIsNewer || !first.variables)) {
    return { variables: second.variables, copy: 1, flags: second.flags };
  }
  if (first.variables) return { variables: first.variables, copy: 0, flags: first.flags };
  throw invalidEnvironment(layout, first);
}

/** Writes `variables` to the copy that `loaded` did not come from (to the only one, if there is one). */
export async function storeUbootEnvironment(
  store: BlockStore,
  layout: UbootLayout,
  loaded: LoadedEnvironment,
  variables: UbootVariables,
): Promise<void> {
  const redundant = isRedundant(layout);
  const offset = redundant && loaded.copy === 0 ? layout.blockOffsetRedund! : layout.blockOffset;
  const flags = redundant ? (loaded.flags + 1) & 0xff : undefined;
  await store.write(offset * 512, encodeUbootEnvironment(variables, layout.blockCount, flags));
}

/** An empty environment in every copy, whatever was there. */
export async function clearUbootEnvironment(store: BlockStore, layout: UbootLayout): Promise<void> {
  const block = encodeUbootEnvironment(new Map(), layout.blockCount, isRedundant(layout) ? 1 : undefined);
  await store.write(layout.blockOffset * 512, block);
  if (isRedundant(layout)) await store.write(layout.blockOffsetRedund! * 512, block);
}

/** `flags` only for a copy of a redundant environment. */
export function encodeUbootEnvironment(variables: UbootVariables, blockCount: number, flags?: number): Buffer {
  const out = Buffer.alloc(blockCount * 512, 0xff);
  const header = flags === undefined ? 4 : 5;
  let at = header;
  for (const name of [...variables.keys()].sort()) {
    const pair = `${name}=${variables.get(name)!}`;
    if (at + pair.length >= out.length - 2) {
      throw new FlotillaError('failed', 'uboot-environment-full', 'not enough room in the U-Boot environment', {
        expected: `at most ${out.length} bytes for all variables`,
      });
    }
    out.write(`${pair}\0`, at, 'latin1');
    at += pair.length + 1;
  }
  out[at] = 0;
  out.writeUInt32LE(crc32(out.subarray(header)), 0);
  if (flags !== undefined) out[4] = flags;
  return out;
}

interface DecodedCopy {
  readonly variables: UbootVariables | undefined;
  readonly flags: number;
  readonly expectedCrc: number;
  readonly actualCrc: number;
}

function decodeCopy(block: Buffer, redundant: boolean): DecodedCopy {
  const header = redundant ? 5 : 4;
  const flags = redundant ? block[4]! : 0;
  const expectedCrc = block.readUInt32LE(0);
  const actualCrc = crc32(block.subarray(header));
  const variables = expectedCrc === actualCrc ? decodeVariables(block.subarray(header)) : undefined;
  return { variables, flags, expectedCrc, actualCrc };
}

function decodeVariables(data: Buffer): UbootVariables {
  const variables: UbootVariables = new Map();
  for (let at = 0; at < data.length && data[at] !== 0;) {
    const end = data.indexOf(0, at);
    if (end < 0) break;
    const pair = data.toString('latin1', at, end);
    const equals = pair.indexOf('=');
    if (equals > 0) variables.set(pair.slice(0, equals), pair.slice(equals + 1)); // the last of a name holds
    at = end + 1;
  }
  return variables;
}

/** Refuses what would break the block: an empty name, `=` or NUL in a name, NUL in a value. */
export function checkUbootVariable(name: ByteString, value: ByteString): void {
  if (name !== '' && !/[=\0]/.test(name) && !value.includes('\0')) return;
  throw new FlotillaError('usage', 'uboot-variable-invalid', `'${name}' can not be a U-Boot variable`, {
    expected: "a name without '=' and no NUL byte anywhere",
  });
}

function isRedundant(layout: UbootLayout): boolean {
  return layout.blockOffsetRedund !== undefined;
}

function invalidEnvironment(layout: UbootLayout, { expectedCrc, actualCrc }: DecodedCopy): FlotillaError {
  const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
  return new FlotillaError(
    'failed',
    'uboot-environment-invalid',
    `the U-Boot environment at block ${layout.blockOffset} has a wrong CRC32`,
    {
      seen: hex(actualCrc),
      expected: hex(expectedCrc),
      suggestion: 'write the disk with a task that runs uboot_clearenv first',
    },
  );
}
