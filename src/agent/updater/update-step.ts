import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { runBounded } from '../machine/run-bounded.ts';
import { linkIsLive, sleep } from '../wait.ts';
import { bootVerdict, inactiveUuid, otherSlot, slotObstacle, type MachineFact } from './boot-verdict.ts';
import { checkBundle, loadEngine } from './bundle-check.ts';
import { downloadBundle, partsBytes } from './download.ts';
import { fileSource } from './file-offer.ts';
import { assertWanted, OfferExpired } from './offer.ts';
import { testSlot } from './probation.ts';
import type { UpdateHappening } from './transition.ts';
import { fileOf, type Update } from './update.ts';
import type { UpdatePace } from './update-pace.ts';
import type { UpdateStore } from './update-store.ts';
import type { UpdaterOption } from './updater-option.ts';
import { TokenBucket } from './token-bucket.ts';
import { rateOf } from './update-limit.ts';

/** Download progress is told at most this often in one download. */
const progressSteps = 10;
/** … and after so long at any rate: what is slow is not silent. */
const maxQuietMs = 600_000;
/** What is fetched at a time under a limit of the rate, at least. */
const minPieceBytes = 16_384;

/** What is done in each state. Each way ends with what happened; none but waits and hooks changes the record. */
export class UpdateSteps {
  readonly #option: UpdaterOption;
  readonly #store: UpdateStore;
  readonly #pace: UpdatePace;
  #givenUp = false;

  constructor(option: UpdaterOption, store: UpdateStore, pace: UpdatePace) {
    this.#option = option;
    this.#store = store;
    this.#pace = pace;
  }

  /** True once the new slot has failed and the old one is set to boot: the watchdog may starve. */
  get givenUp(): boolean {
    return this.#givenUp;
  }

  /** What an update that an earlier process left finds in this one. */
  async resume(update: Update): Promise<UpdateHappening> {
    const downloadedBytes = partsBytes(fileOf(update), this.#store.table.parts(update.rolloutId));
    const progressed = update.state === 'downloading' && downloadedBytes > update.downloadedBytes;
    const fact = await this.machineFact().catch(() => undefined);
    const verdict = fact && bootVerdict(update, fact);
    if (fact && verdict?.type === 'fell-back') await this.#settleFallback(update, fact);
    // An install that begins again begins in this boot: the restart that follows it is the one that counts.
    const before = update.state === 'installing' && fact ? { before: fact.running } : {};
    return verdict ?? { type: 'resumed', progressed, downloadedBytes, ...before };
  }

  /** Never rejects but when `signal` fires: an unforeseen error is a happening, too. */
  async perform(update: Update, signal: AbortSignal): Promise<UpdateHappening> {
    try {
      return await this.#step(update, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof OfferExpired) return { type: 'cancelled', reason: error.reason };
      if (isLostDelta(update, error)) return { type: 'delta-failed', deltaFailed: error.message };
      return failureOf(update, error);
    }
  }

  #step(update: Update, signal: AbortSignal): Promise<UpdateHappening> {
    switch (update.state) {
      case 'offered':
        return this.#begin(signal);
      case 'downloading':
        return this.#download(update, signal);
      case 'verified':
        return this.#prepareInstall(update, signal);
      case 'installing':
        return this.#install(update, signal);
      case 'rebooting':
        return this.#reboot(update, signal);
      case 'testing':
        return this.#test(update, signal);
      case 'reverting':
        return this.#revert(update, signal);
      default:
        throw new Error(`nothing is to be done for an update that is ${update.state}`);
    }
  }

  async #begin(signal: AbortSignal): Promise<UpdateHappening> {
    await this.#runHooks(signal);
    await this.#pace.pass('download', signal);
    return { type: 'download-begun' };
  }

  async #download(update: Update, signal: AbortSignal): Promise<UpdateHappening> {
    const { link, clock, policy, rules } = this.#option;
    await this.#runHooks(signal);
    const { bundle } = update;
    const file = fileOf(update);
    const rate = rateOf(update, rules);
    const bucket = rate === undefined ? undefined : new TokenBucket(clock, rate);
    let passing: Promise<void> | undefined;
    const admit = async (bytes: number): Promise<void> => {
      // Several parts are on their way at a time: they wait as one.
      passing ??= this.#pace.pass('download', signal).finally(() => (passing = undefined));
      await passing;
      assertWanted(update, link.coordinatorNowMs());
      await bucket?.take(bytes, signal);
    };
    if ((await this.#downloadSize()) === undefined) this.#store.table.clearParts(update.rolloutId);
    const parts = this.#store.table.parts(update.rolloutId);
    let told = Math.floor((progressSteps * partsBytes(file, parts)) / file.sizeBytes);
    let toldMs = clock.monotonicMs();
    const piece = rate === undefined ? {} : { maxPieceBytes: Math.max(minPieceBytes, Math.ceil(rate)) };
    await downloadBundle({
      file,
      path: this.#downloadPath,
      link: update.source === undefined ? link : fileSource(update.source.path),
      clock,
      signal,
      parts,
      admit,
      ...piece,
      onPart: (part) => {
        if (signal.aborted) return; // cancelled: its marks are gone
        this.#store.table.markPart(update.rolloutId, part);
        const downloadedBytes = partsBytes(file, parts);
        const step = Math.floor((progressSteps * downloadedBytes) / file.sizeBytes);
        const isQuiet = clock.monotonicMs() - toldMs < maxQuietMs;
        if ((step === told && isQuiet) || step === progressSteps) return;
        told = step;
        toldMs = clock.monotonicMs();
        this.#store.announce({ ...(this.#store.table.current() ?? update), downloadedBytes });
        link.wake();
      },
    });
    const { product, platform, publicKeys, task, activeVariable, destination } = policy;
    const path = this.#downloadPath;
    const { sha256 } = file;
    const trust = { product, platform, publicKeys, task, activeVariable, destination, state: this.#option.directory };
    const check = await checkBundle({ path, offer: bundle, sha256, ...trust });
    if ('lost' in check) return { type: 'bundle-lost' };
    if ('refused' in check) {
      if (update.delta !== undefined) return { type: 'delta-failed', deltaFailed: check.refused.message };
      return { type: 'refused', reason: check.refused };
    }
    return { type: 'bundle-verified', images: check.images, downloadedBytes: partsBytes(file, parts) };
  }

  /** The last moment at which the coordinator may have changed its mind: it is heard before anything is written. */
  async #prepareInstall(update: Update, signal: AbortSignal): Promise<UpdateHappening> {
    const { link, clock } = this.#option;
    await this.#runHooks(signal);
    do {
      await this.#pace.pass('install', signal);
      if (update.source === undefined && link.coordinatorNowMs() === undefined)
        await linkIsLive(link, clock, { signal });
    } while (!(await this.#pace.isOpen('install', signal))); // the coordinator may have been long in coming
    if ((await this.#downloadSize()) !== fileOf(update).sizeBytes) return { type: 'bundle-lost' };
    assertWanted(update, link.coordinatorNowMs());
    const fact = await this.machineFact();
    const obstacle = slotObstacle(fact);
    if (obstacle) return { type: 'refused', reason: obstacle };
    const uuid = inactiveUuid(fact.slots, fact.running);
    return { type: 'install-begun', before: fact.running, ...(uuid === undefined ? {} : { inactiveUuid: uuid }) };
  }

  async #install(update: Update, signal: AbortSignal): Promise<UpdateHappening> {
    const { policy, logger } = this.#option;
    const found = await this.machineFact();
    const verdict = bootVerdict(update, found); // what an earlier attempt has flipped is never written again
    if (verdict) return verdict;
    if (found.running.bootId !== update.before.bootId) return { type: 'resumed', before: found.running };
    await this.#runHooks(signal);
    // Where no task of a bundle can switch over, the agent names the slot, and switches once it is written.
    const switchOver = this.#option.slots.tryNext?.bind(this.#option.slots);
    const target = switchOver && otherSlot(found);
    const { applyBundle } = await loadEngine();
    const applied = await applyBundle({
      path: this.#downloadPath,
      destinationPath: policy.destination,
      task: target === undefined ? policy.task : `${policy.task}.${target}`,
      publicKeys: policy.publicKeys,
      onInfo: (text) => logger.info({ rollout: update.rolloutId }, text),
      signal,
    }).catch(async (error: unknown) => this.#withoutDelta(update, error));
    if ('type' in applied) return applied;
    const { taskName, bytesWritten } = applied;
    logger.info({ rollout: update.rolloutId, task: taskName, bytes: bytesWritten }, 'installed');
    const { bundleUuid, version, product } = update.bundle;
    if (switchOver && target !== undefined) await switchOver(target, { uuid: bundleUuid, version, product });
    const { slots } = await this.machineFact();
    const failed = (code: string, message: string): UpdateHappening => ({
      type: 'install-failed',
      reason: { code, message },
    });
    if (slots.active === update.before.slot || slots.slots[slots.active]?.uuid !== update.bundle.bundleUuid) {
      return failed(
        'slot-not-flipped',
        `the task ${taskName} did not make another slot with this bundle the active one`,
      );
    }
    if (!slots.pending)
      return failed('slot-not-pending', `the task ${taskName} does not put the new slot on probation`);
    return { type: 'flipped', before: found.running };
  }

  /** A delta that does not fit what stands in the slot: as long as nothing was switched over, the whole bundle does. */
  async #withoutDelta({ delta, before }: Update, error: unknown): Promise<UpdateHappening> {
    if (delta === undefined || !(error instanceof FlotillaError) || !deltaFaults.has(error.code)) throw error;
    const { slots } = await this.machineFact();
    if (slots.active !== before.slot || slots.pending) throw error;
    return { type: 'delta-failed', deltaFailed: error.message };
  }

  async #reboot(update: Update, signal: AbortSignal): Promise<UpdateHappening> {
    const fact = await this.machineFact();
    const verdict = bootVerdict(update, fact);
    if (verdict?.type === 'fell-back') await this.#settleFallback(update, fact);
    if (verdict) return verdict;
    await this.#pace.pass('reboot', signal);
    await this.#runHooks(signal);
    await this.#runReboot(signal);
    return { type: 'resumed' };
  }

  async #test(update: Update, signal: AbortSignal): Promise<UpdateHappening> {
    const { policy, link, clock, slots, productHealth } = this.#option;
    const fact = await this.machineFact();
    const verdict = bootVerdict(update, fact);
    if (verdict?.type === 'fell-back') await this.#settleFallback(update, fact);
    if (verdict) return verdict;
    await this.#runHooks(signal);
    const { running } = fact;
    const images = running.slot === undefined ? undefined : update.images?.[running.slot];
    const happening = await testSlot({
      running,
      destination: policy.destination,
      images,
      ...policy.health,
      // One that had no link when the file was taken is judged by all else.
      ...(update.source?.linked === false ? { noCoordinator: 'keep' as const } : {}),
      directory: this.#option.directory,
      productHealth,
      link,
      clock,
      signal,
    });
    signal.throwIfAborted();
    if (happening.type === 'proven') await slots.markGood(running.slot ?? fact.slots.active); // a crash right here only repeats the test
    return happening;
  }

  async #revert(update: Update, signal: AbortSignal): Promise<UpdateHappening> {
    const { before } = update;
    if (before.slot !== undefined) await this.#option.slots.activate(before.slot);
    await this.#pace.runHooksOfRevert(update, signal);
    const running = await this.#option.running();
    if (running.slot === before.slot) return { type: 'reverted', after: running };
    this.#givenUp = true;
    await this.#runReboot(signal);
    return { type: 'resumed' };
  }

  async #runHooks(signal: AbortSignal): Promise<void> {
    const reason = await this.#pace.runHooks(signal);
    if (reason) throw new FlotillaError('failed', reason.code, reason.message);
  }

  /** Returns when the machine has not restarted in time. Not aborted with the step: it may be what ends this process. */
  async #runReboot(signal: AbortSignal): Promise<void> {
    const { policy, clock, logger } = this.#option;
    const timeoutMs = policy.reboot.timeoutSeconds * 1_000;
    const startedMs = clock.monotonicMs();
    const result = await runBounded({ argv: policy.reboot.command, timeoutMs, maxOutputBytes: 4_096 });
    const worked = result.end === 'exited' && result.exitCode === 0;
    if (!worked)
      logger.warn(
        { end: result.end, exitCode: result.exitCode, stderr: result.stderr, message: result.message },
        'the reboot command failed',
      );
    const leftMs = timeoutMs - (clock.monotonicMs() - startedMs);
    await sleep(clock, Math.max(0, worked ? leftMs : Math.min(leftMs, 1_000)), signal);
  }

  /** The boot loader went back; its environment must say the same, or the next restart would try again. */
  async #settleFallback({ before }: Update, { slots }: MachineFact): Promise<void> {
    if (before.slot === undefined || (slots.active === before.slot && !slots.pending)) return;
    await this.#option.slots.activate(before.slot).catch((error: unknown) => {
      this.#option.logger.error({ err: error }, 'the boot environment still names the slot that did not come up');
    });
  }

  /** Read from the machine each time. */
  async machineFact(): Promise<MachineFact> {
    const [running, slots] = await Promise.all([this.#option.running(), this.#option.slots.read()]);
    return { running, slots };
  }

  #downloadSize(): Promise<number | undefined> {
    return stat(this.#downloadPath).then(
      ({ size }) => size,
      () => undefined,
    );
  }

  get #downloadPath(): string {
    return join(this.#option.directory, 'download.fw');
  }

  /** Nothing that an ended update left stays; one under way keeps its file. */
  async removeDownload(): Promise<void> {
    if (this.#store.table.current() === undefined) await rm(this.#downloadPath, { force: true });
  }
}

/** What fetching a delta says that is gone, or is another one. */
const lostDelta: ReadonlySet<string> = new Set(['blob-refused', 'part-corrupt']);

function isLostDelta({ state, delta }: Update, error: unknown): error is FlotillaError {
  return state === 'downloading' && delta !== undefined && error instanceof FlotillaError && lostDelta.has(error.code);
}

/** What applying a delta says when it was made for other bytes. */
const deltaFaults: ReadonlySet<string> = new Set(['firmware-delta-failed', 'firmware-resource-damaged']);

/** What an unforeseen error means for the state that it came up in. Behind the flip it always leads back to the old slot. */
function failureOf({ state }: Update, error: unknown): UpdateHappening {
  const text = error instanceof Error ? error.message : String(error);
  const seen = error instanceof FlotillaError && error.detail.seen !== undefined ? ` (${error.detail.seen})` : '';
  const system = systemErrorCode(error);
  const code = error instanceof FlotillaError ? error.code : system === 'ENOSPC' ? 'no-room' : 'internal';
  const reason = { code, message: `${text}${seen}` };
  if (state === 'installing') return { type: 'install-failed', reason };
  if (state === 'rebooting' || state === 'testing') return { type: 'test-failed', reason };
  return { type: 'failed', reason };
}
