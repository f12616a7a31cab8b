import { BundleFile } from '../archive/bundle-file.ts';
import { isUnproved, readBundleHead, requireKeys, unprovedText } from '../archive/bundle-head.ts';
import { ByteReader } from '../archive/byte-reader.ts';
import { MemberDamage, malformed } from '../archive/malformed.ts';
import { resourceMissing } from '../archive/resource-check.ts';
import { ZipReader, type ZipMember } from '../archive/zip-reader.ts';
import { resourceNameOf } from '../config/resource.ts';
import { fromByteString, toByteString } from '../config/source-text.ts';
import type { Section } from '../config/section.ts';
import { FlotillaError } from '../../error.ts';
import { Disk, type DiskOption } from './disk.ts';
import { EnvironmentAccess } from './environment-access.ts';
import { FatVolumes } from './fat/volume-set.ts';
import { checkMetaConfSupported, checkRoom, chooseTask, planTask, type TaskPlan } from './plan.ts';
import { unsafeRefused, type ActionContext, type PlannedAction } from './planned-action.ts';
import { Progress, type ProgressRange, type ProgressReport } from './progress.ts';
import { runResource } from './resource-run.ts';
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
  /** For `${NAME}` in meta.conf, and for commands that are run. */
  variables?: Readonly<Record<string, string | undefined>>;
  /** A hard end for the destination, where it is a file that stands for a disk. */
  destinationSizeBytes?: number;
  /** Ends where the first write would be. Requirements are checked, so with `unsafe` their commands run. */
  dryRun?: boolean;
  /** Lets actions run commands and write files beside the destination. */
  unsafe?: boolean;
  /** 0 to 100, rising. */
  onProgress?: (percent: number) => void;
  /** The texts of info(…). */
  onInfo?: (text: string) => void;
  /** Aborting is a failure like any other: on-error runs. */
  signal?: AbortSignal;
}

/** What only the drop-in for fwup passes. */
export interface FwupApplyOption extends Omit<DiskOption, 'asFwup' | 'sizeBytes'> {
  readonly progressRange?: ProgressRange;
  readonly onReport?: (report: ProgressReport & { inputBytes: number }) => void;
  readonly rebootParamPath?: string | undefined;
  /** Tells as information what fwup tells with -v. */
  readonly verbose?: boolean;
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
  return new Application(option, undefined).run();
}

/**
 * The same as fwup does it: without a key a signature is not looked at, what is unknown is passed over, arguments are
 * read when their action's turn comes, the output is there before anything is checked.
 */
export async function applyLikeFwup(option: ApplyOption, fwup: FwupApplyOption): Promise<ApplyResult> {
  return new Application(option, fwup).run();
}

class Application {
  readonly #option: ApplyOption;
  readonly #fwup: FwupApplyOption | undefined;
  readonly #progress: Progress;
  readonly #reader: ByteReader;
  readonly #zip: ZipReader;

  constructor(option: ApplyOption, fwup: FwupApplyOption | undefined) {
    this.#option = option;
    this.#fwup = fwup;
    const { path, stream, onProgress } = option;
    const source = path === undefined ? stream : new BundleFile(path);
    if (!source || (path !== undefined && stream)) throw new TypeError('applyBundle needs a path or a stream');
    this.#reader = new ByteReader(source);
    this.#zip = new ZipReader(this.#reader);
    this.#progress = new Progress((report) => {
      onProgress?.(report.percent);
      fwup?.onReport?.({ ...report, inputBytes: this.#reader.offset });
    }, fwup?.progressRange);
  }

  get #asFwup(): boolean {
    return this.#fwup !== undefined;
  }

  async run(): Promise<ApplyResult> {
    this.#progress.start();
    let disk = this.#asFwup ? await this.#openDisk() : undefined;
    try {
      const { publicKeys, variables = {}, task: name } = this.#option;
      const head = await readBundleHead(this.#zip, { publicKeys, variables, asFwup: this.#asFwup });
      if (!this.#asFwup) checkMetaConfSupported(head.metaConf);
      if (this.#fwup?.verbose && isUnproved(head, publicKeys)) this.#option.onInfo?.(unprovedText);
      const { root } = head.metaConf;
      disk ??= await this.#openDisk();
      const context = this.#context(root, disk, { FWUP_META_UUID: head.uuid, FWUP_META_NICKNAME: head.nickname });
      const task = await chooseTask(root, toByteString(name), context, this.#asFwup);
      const plan = planTask(task, root, this.#asFwup);
      if (!this.#asFwup) {
        checkUnsafe(plan, context);
        checkRoom(plan, disk);
      }
      if (this.#option.dryRun) return { taskName: plan.title, uuid: head.uuid, bytesWritten: 0 };
      this.#progress.expect(plan.units);
      await this.#runPlan(plan, context);
      this.#progress.finish();
      return { taskName: plan.title, uuid: head.uuid, bytesWritten: disk.bytesWritten };
    } finally {
      await disk?.close();
      await this.#reader.close();
    }
  }

  #openDisk(): Promise<Disk> {
    const { destinationPath, destinationSizeBytes } = this.#option;
    return Disk.open(destinationPath, { ...this.#fwup, sizeBytes: destinationSizeBytes, asFwup: this.#asFwup });
  }

  #context(root: Section, disk: Disk, identity: Readonly<Record<string, string>>): ActionContext {
    const { onInfo = () => undefined, signal, unsafe = false, variables = {} } = this.#option;
    const cache = new SegmentCache(disk, root.integer('block-cache-size-mb') ?? 8);
    const environments = new Map<string, EnvironmentAccess>();
    return {
      cache,
      get diskBlocks() {
        return Math.floor(disk.endBytes / 512);
      },
      progress: this.#progress,
      fat: new FatVolumes(cache),
      onInfo,
      signal,
      unsafe,
      asFwup: this.#asFwup,
      variables: { ...variables, ...identity },
      rebootParamPath: this.#fwup?.rebootParamPath,
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

  async #runPlan(plan: TaskPlan, context: ActionContext): Promise<void> {
    try {
      await runActions(plan.onInit, context);
      await this.#runResources(plan, context);
      context.fat.forget();
      await runActions(plan.onFinish, context);
      context.signal?.throwIfAborted();
      await context.cache.flush();
    } catch (error) {
      throw await failure(plan, context, error, this.#asFwup);
    }
  }

  /** Members in the order of the archive; every one that the task names must come. As fwup: also a second time. */
  async #runResources(plan: TaskPlan, context: ActionContext): Promise<void> {
    const missing = new Set(plan.onResource.keys());
    while (missing.size > 0 || this.#asFwup) {
      context.signal?.throwIfAborted();
      const member = await this.#next();
      if (!member) break;
      const name = resourceNameOf(member.name);
      const resource = missing.delete(name) || this.#asFwup ? plan.onResource.get(name) : undefined;
      if (resource) await runResource(resource, this.#zip, member, context, this.#asFwup);
      else if (!(await this.#skip(member))) break;
    }
    const first = [...missing].at(this.#asFwup ? -1 : 0);
    if (first !== undefined) throw resourceMissing(fromByteString(first));
  }

  /** fwup takes whatever it can't read for the end of the archive. */
  async #next(): Promise<ZipMember | undefined> {
    if (!this.#asFwup) return this.#zip.next();
    return this.#zip.next().catch((error: unknown) => {
      if (error instanceof FlotillaError && error.fault === 'refused') return undefined;
      throw error;
    });
  }

  /** Not used by this task: reads past it, however long, and drops it. Whether the archive goes on behind it. */
  async #skip(member: ZipMember): Promise<boolean> {
    try {
      for await (const chunk of this.#zip.data(member, Number.MAX_SAFE_INTEGER)) void chunk;
      return true;
    } catch (error) {
      if (!(error instanceof MemberDamage)) throw error;
      if (this.#asFwup) return false;
      throw malformed(`the member ${fromByteString(member.name)} is damaged`, error.message);
    }
  }
}

/** Before a byte is written: whether the task wants more than it may. */
function checkUnsafe(plan: TaskPlan, { unsafe }: ActionContext): void {
  if (unsafe) return;
  const all = [
    plan.onInit,
    plan.onFinish,
    plan.onError,
    ...[...plan.onResource.values()].map(({ actions }) => actions),
  ];
  const first = all.flat().find(({ needsUnsafe }) => needsUnsafe === true);
  if (first) throw unsafeRefused(first.name);
}

async function* noData(): AsyncGenerator<Buffer, void> {}

async function runActions(actions: readonly PlannedAction[], context: ActionContext): Promise<void> {
  for (const action of actions) {
    context.signal?.throwIfAborted();
    await action.run(context, noData());
  }
}

/**
 * After an error: what is still in the cache is dropped and on-error runs. The first error is the one to tell; fwup
 * tells the last one.
 */
async function failure(plan: TaskPlan, context: ActionContext, error: unknown, asFwup: boolean): Promise<unknown> {
  await context.cache.discard();
  context.fat.forget();
  let second: unknown;
  try {
    await runActions(plan.onError, { ...context, signal: undefined });
    await context.cache.flush();
  } catch (caught) {
    second = caught;
    await context.cache.discard();
  }
  if (asFwup && second !== undefined) return second;
  return context.signal?.aborted ? aborted(error) : error;
}

function aborted(cause: unknown): FlotillaError {
  return new FlotillaError('failed', 'firmware-aborted', 'applying the bundle was aborted', { cause });
}
