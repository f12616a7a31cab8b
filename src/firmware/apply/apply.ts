import { BundleFile } from '../archive/bundle-file.ts';
import { readBundleHead, requireKeys } from '../archive/bundle-head.ts';
import { ByteReader } from '../archive/byte-reader.ts';
import { MemberDamage, malformed } from '../archive/malformed.ts';
import { checkedResource, resourceDamaged } from '../archive/resource-check.ts';
import { ZipReader, type ZipMember } from '../archive/zip-reader.ts';
import { resourceNameOf } from '../config/resource.ts';
import { fromByteString, toByteString } from '../config/source-text.ts';
import type { Section } from '../config/section.ts';
import { FlotillaError } from '../../error.ts';
import type { ActionContext, PlannedAction } from './planned-action.ts';
import { Disk } from './disk.ts';
import { EnvironmentAccess } from './environment-access.ts';
import { FatVolumes } from './fat/volume-set.ts';
import { checkMetaConfSupported, checkRoom, chooseTask, planTask, type TaskPlan } from './plan.ts';
import { Progress } from './progress.ts';
import { SegmentCache } from './segment-cache.ts';
import { ubootLayout } from './uboot-environment.ts';

export interface ApplyOption {
  /** The bundle: a file, or its bytes as they come. Give one of both. */
  path?: string;
  stream?: AsyncIterable<Uint8Array>;
  /** An image file (made if absent) or a block device. Partitions on it must not be mounted read-write. */
  destinationPath: string;
  /** The start of a task's title; the first one whose requirements hold is run. */
  task: string;
  /** 32-byte Ed25519 keys; any one of them is enough, none is refused. */
  publicKeys: readonly Buffer[];
  /** For `${NAME}` in meta.conf. */
  variables?: Readonly<Record<string, string>>;
  /** A hard end for the destination, where it is a file that stands for a disk. */
  destinationSizeBytes?: number;
  /** 0 to 100, rising. */
  onProgress?: (percent: number) => void;
  /** The texts of info(…). */
  onInfo?: (text: string) => void;
  /** Aborting is a failure like any other: on-error runs. */
  signal?: AbortSignal;
}

export interface ApplyResult {
  taskName: string;
  uuid: string;
  bytesWritten: number;
}

/**
 * Applies a bundle. Signature, support, requirements and room are settled before the first write; every resource is
 * hashed while it is written, and on-finish (which flips the slot) runs only when all of them held. Data is synced
 * before the partition table and U-Boot's environment are written. After a failure what was not flushed is dropped
 * and on-error runs.
 */
export async function applyBundle(option: ApplyOption): Promise<ApplyResult> {
  requireKeys(option.publicKeys);
  const { path, stream } = option;
  const source = path === undefined ? stream : new BundleFile(path);
  if (!source || (path !== undefined && stream)) throw new TypeError('applyBundle needs a path or a stream');
  const progress = new Progress(option.onProgress);
  progress.start();
  const reader = new ByteReader(source);
  try {
    const zip = new ZipReader(reader);
    const variables = option.variables ?? {};
    const head = await readBundleHead(zip, { publicKeys: option.publicKeys, variables });
    checkMetaConfSupported(head.metaConf);
    const { root } = head.metaConf;
    const disk = await Disk.open(option.destinationPath, option.destinationSizeBytes);
    try {
      const context = createContext(root, disk, progress, option);
      const task = await chooseTask(root, toByteString(option.task), context);
      const plan = planTask(task, root);
      checkRoom(plan, disk);
      progress.expect(plan.units);
      await runPlan(plan, zip, context);
      progress.finish();
      return { taskName: plan.title, uuid: head.uuid, bytesWritten: disk.bytesWritten };
    } finally {
      await disk.close();
    }
  } finally {
    await reader.close();
  }
}

function createContext(root: Section, disk: Disk, progress: Progress, option: ApplyOption): ActionContext {
  const cache = new SegmentCache(disk, root.integer('block-cache-size-mb') ?? 8);
  const environments = new Map<string, EnvironmentAccess>();
  return {
    cache,
    fat: new FatVolumes(cache),
    diskBlocks: Math.floor(disk.endBytes / 512),
    progress,
    onInfo: option.onInfo ?? (() => undefined),
    signal: option.signal,
    environment(title) {
      const known = environments.get(title);
      if (known) return known;
      const section = root.find('uboot-environment', title);
      if (!section) throw malformed(`no uboot-environment '${fromByteString(title)}'`);
      const environment = new EnvironmentAccess(cache, ubootLayout(section));
      environments.set(title, environment);
      return environment;
    },
  };
}

async function runPlan(plan: TaskPlan, zip: ZipReader, context: ActionContext): Promise<void> {
  try {
    await runActions(plan.onInit, context);
    await runResources(plan, zip, context);
    context.fat.forget();
    await runActions(plan.onFinish, context);
    context.signal?.throwIfAborted();
    await context.cache.flush();
  } catch (error) {
    await runOnError(plan, context);
    throw context.signal?.aborted ? aborted(error) : error;
  }
}

/** Members in the order of the archive; every one that the task names must come. */
async function runResources(plan: TaskPlan, zip: ZipReader, context: ActionContext): Promise<void> {
  const missing = new Set(plan.onResource.keys());
  while (missing.size > 0) {
    context.signal?.throwIfAborted();
    const member = await zip.next();
    if (!member) throw resourceDamaged(fromByteString([...missing][0]!), 'it is not in the archive');
    const name = resourceNameOf(member.name);
    const resource = missing.delete(name) ? plan.onResource.get(name) : undefined;
    if (!resource) {
      await skip(zip, member);
      continue;
    }
    const data = checkedResource(zip, member, resource.record);
    await runActions(resource.actions, context, data);
    for await (const chunk of data) void chunk; // no action read it: its hash is checked all the same
  }
}

/** Not used by this task: read past it, however long, and drop it. */
async function skip(zip: ZipReader, member: ZipMember): Promise<void> {
  try {
    for await (const chunk of zip.data(member, Number.MAX_SAFE_INTEGER)) void chunk;
  } catch (error) {
    throw error instanceof MemberDamage
      ? malformed(`the member ${fromByteString(member.name)} is damaged`, error.message)
      : error;
  }
}

async function* noData(): AsyncGenerator<Buffer, void> {}

async function runActions(
  actions: readonly PlannedAction[],
  context: ActionContext,
  data: AsyncIterable<Buffer> = noData(),
): Promise<void> {
  for (const action of actions) {
    context.signal?.throwIfAborted();
    await action.run(context, data);
  }
}

/** What is still in the cache is dropped; the first error is the one to tell, so errors in here are not. */
async function runOnError(plan: TaskPlan, context: ActionContext): Promise<void> {
  context.cache.discard();
  context.fat.forget();
  try {
    await runActions(plan.onError, { ...context, signal: undefined });
    await context.cache.flush();
  } catch {
    context.cache.discard();
  }
}

function aborted(cause: unknown): FlotillaError {
  return new FlotillaError('failed', 'firmware-aborted', 'applying the bundle was aborted', { cause });
}
