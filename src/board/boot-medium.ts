/** What the boot loader takes from the disk: the partition table, the boot files, the environment, a slot's contents. */
import { open } from 'node:fs/promises';
import { parse } from 'yaml';
import { Type, type Static, type TSchema } from 'typebox';
import { Check, Errors } from 'typebox/value';
import { FlotillaError } from '../error.ts';
import { readUbootEnvironment, writeUbootEnvironment } from '../firmware/index.ts';
import { decodeCpio, findFile, type CpioEntry } from './cpio.ts';
import { readPartition, readPartitions, type Partition } from './partition-table.ts';

/** `loader.yaml` among the boot files. Blocks are 512 bytes, partitions count from 0. */
export const LoaderSchema = Type.Object({
  bootPartition: Type.Integer({ minimum: 0, maximum: 3 }),
  environment: Type.Object({
    blockOffset: Type.Integer({ minimum: 0 }),
    blockCount: Type.Integer({ minimum: 1 }),
    blockOffsetRedund: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  slots: Type.Array(
    Type.Object({
      name: Type.String({ pattern: '^[a-z0-9]{1,16}$' }),
      partition: Type.Integer({ minimum: 0, maximum: 3 }),
    }),
    { minItems: 2, maxItems: 2 },
  ),
  /** Where the slot's contents say what to start. */
  init: Type.String({ minLength: 1 }),
});
export type Loader = Static<typeof LoaderSchema>;

/** `etc/board.yaml` in a slot's contents: what init starts. `/data` is the data partition, other absolute paths are the slot's. */
export const InitSchema = Type.Object({
  agent: Type.Object({ argv: Type.Array(Type.String(), { minItems: 1 }) }),
  respawn: Type.Object({
    firstDelaySeconds: Type.Number({ exclusiveMinimum: 0 }),
    maxDelaySeconds: Type.Number({ exclusiveMinimum: 0 }),
  }),
});
export type Init = Static<typeof InitSchema>;

/** The boot partition is the first one: that much is burnt into the board. */
export async function readLoader(diskPath: string): Promise<Loader> {
  const [first] = await partitionsOf(diskPath);
  const boot = decodeCpio(await partitionBytes(diskPath, first!));
  return parseDocument(LoaderSchema, findFile(boot, 'loader.yaml'), 'loader.yaml on the boot partition');
}

/** Where a slot's bytes are on the disk. */
export async function readSlotPartition(diskPath: string, loader: Loader, slot: string): Promise<Partition> {
  const place = loader.slots.find(({ name }) => name === slot);
  if (place === undefined) throw new FlotillaError('ours', 'board-unknown-slot', `no slot ${slot} in loader.yaml`);
  return (await partitionsOf(diskPath))[place.partition]!;
}

export async function readSlot(diskPath: string, loader: Loader, slot: string): Promise<CpioEntry[]> {
  return decodeCpio(await partitionBytes(diskPath, await readSlotPartition(diskPath, loader, slot)));
}

export function readInit(contents: readonly CpioEntry[], loader: Loader): Init {
  return parseDocument(InitSchema, findFile(contents, loader.init.replace(/^\//, '')), loader.init);
}

export const readEnvironment = (diskPath: string, { environment }: Loader): Promise<Map<string, string>> =>
  readUbootEnvironment(diskPath, layoutOf(environment));

export const writeEnvironment = (diskPath: string, { environment }: Loader, changes: Record<string, string | null>) =>
  writeUbootEnvironment(diskPath, layoutOf(environment), changes);

function layoutOf({ blockOffset, blockCount, blockOffsetRedund }: Loader['environment']) {
  return { blockOffset, blockCount, ...(blockOffsetRedund === undefined ? {} : { blockOffsetRedund }) };
}

async function partitionsOf(diskPath: string): Promise<Partition[]> {
  const disk = await open(diskPath, 'r');
  try {
    return await readPartitions(disk);
  } finally {
    await disk.close();
  }
}

async function partitionBytes(diskPath: string, partition: Partition): Promise<Buffer> {
  const disk = await open(diskPath, 'r');
  try {
    return await readPartition(disk, partition);
  } finally {
    await disk.close();
  }
}

function parseDocument<S extends TSchema>(schema: S, content: Uint8Array | undefined, name: string): Static<S> {
  if (content === undefined) throw new FlotillaError('failed', 'board-file-missing', `${name} is missing`);
  const document: unknown = parse(Buffer.from(content).toString());
  if (Check(schema, document)) return document;
  const [first] = Errors(schema, document);
  throw new FlotillaError(
    'failed',
    'board-file-invalid',
    `${name}: ${first?.instancePath ?? ''} ${first?.message ?? ''}`,
  );
}
