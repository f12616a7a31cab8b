import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError } from '../../error.ts';
import type { AgentOffer } from '../../protocol/request.ts';
import { downloadBundle, partsBytes } from '../updater/download.ts';
import { assertWanted, OfferExpired } from '../updater/offer.ts';
import { StateTimer } from '../updater/state-timer.ts';
import { sleep } from '../wait.ts';
import { judgeProgramOffer } from './judge-program-offer.ts';
import { checkProgramBundle, placeProgram, type PlaceOption } from './place-program.ts';
import { ProgramFolder } from './program-folder.ts';
import type { LaunchOption, ProgramUpdaterOption } from './program-option.ts';
import { ProgramStore } from './program-store.ts';
import { maxBusySeconds } from './program-limit.ts';
import type { ProgramHappening } from './program-table.ts';
import { timedProgram } from './timed-program.ts';
import { hasEnded, type ProgramUpdate } from './program-update.ts';
import { programVerdict, runningOf, type ProgramFacts } from './program-verdict.ts';
import { proveProgram } from './prove-program.ts';

const busyPollMs = 2_000;

/** Carries one update of the agent's own program at a time. Each state is on disk before anything of it is done. */
export class ProgramUpdater {
  readonly #option: ProgramUpdaterOption;
  readonly #store: ProgramStore;
  readonly #folder: ProgramFolder | undefined;
  readonly #startedAtMs: number;
  readonly #stopping = new AbortController();
  readonly #timer: StateTimer<ProgramHappening>;
  #step = new AbortController();
  #driving: Promise<void> | undefined;
  #leaves = false;

  constructor(option: ProgramUpdaterOption) {
    const { launch } = option;
    this.#option = option;
    this.#store = new ProgramStore(option);
    this.#timer = new StateTimer(timedProgram(this.#store, option), option.clock);
    this.#folder = launch === undefined ? undefined : new ProgramFolder(launch.programs, launch.base);
    this.#startedAtMs = option.clock.monotonicMs();
  }

  /** The newest first, the one under way included. */
  history(limit: number): ProgramUpdate[] {
    return this.#store.table.newest(limit);
  }

  /** Takes up what an earlier process left; then nothing stands in the folder that nobody needs. */
  async start(): Promise<void> {
    const current = this.#store.table.current();
    if (current?.state === 'downloading') {
      const downloadedBytes = partsBytes(current.bundle, this.#store.parts.parts(current.updateId));
      this.#apply({ type: 'resumed', progressed: downloadedBytes > current.downloadedBytes, downloadedBytes });
    } else if (current !== undefined && this.#folder !== undefined) {
      const verdict = programVerdict(current, await this.#facts(this.#folder));
      // What is on trial was to be started, and this is another program: an attempt that came to nothing.
      if ('next' in verdict && (verdict.next === 'restart' || verdict.next === 'place'))
        this.#apply({ type: 'resumed' });
    } else if (current !== undefined) {
      const message = 'this agent was started without its launcher';
      this.#apply({ type: 'failed', reason: { code: 'agent-not-launched', message } });
    }
    await this.#tidy();
    this.#drive();
  }

  async stop(): Promise<void> {
    const reason = new Error('the agent stops');
    this.#stopping.abort(reason);
    this.#step.abort(reason);
    await this.#driving;
  }

  /** Resolves when nothing is under way, when another process has to go on, or `stop` was called. */
  async idle(): Promise<void> {
    while (this.#driving) await this.#driving;
  }

  /** Takes or refuses an offer; `settle` runs in the same transaction as the answer. */
  offer(offer: AgentOffer, settle: () => void): void {
    const { link, clock, launch, publicKeys } = this.#option;
    this.#store.within(() => {
      settle();
      const known = this.#store.table.find(offer.updateId);
      if (known !== undefined) return this.#store.announce(known);
      const context = {
        facts: this.#identity(),
        isLaunched: launch !== undefined,
        keys: publicKeys.length,
        reverted: this.#store.reverted.find(offer.bundle.bundleUuid),
        current: this.#store.table.current(),
        coordinatorNowMs: link.coordinatorNowMs(),
        nowMs: clock.nowMs(),
      };
      this.#store.answer(judgeProgramOffer(offer, context));
    });
    this.#tell();
    this.#drive();
  }

  /** An offer that could not be handed over. */
  refuse(offer: AgentOffer, message: string): void {
    const nowMs = this.#option.clock.nowMs();
    const { updateId, bundle, expiresAtMs } = offer;
    const before = runningOf(this.#identity());
    const begin = { updateId, bundle, expiresAtMs, enteredAtMs: nowMs, before, health: [], downloadedBytes: 0 };
    const reason = { code: 'request-given-up', message };
    this.#store.answer({ ...begin, state: 'rejected', attempts: { rejected: 1 }, reason, decidedAtMs: nowMs });
    this.#tell();
  }

  #drive(): void {
    const { signal } = this.#stopping;
    if (this.#driving || signal.aborted || this.#leaves || this.#store.table.current() === undefined) return;
    this.#driving = this.#run()
      .catch((error: unknown) => {
        if (signal.aborted) return;
        this.#option.logger.fatal({ err: error }, "the update of the agent can't go on");
        this.#option.onFatal?.(error);
      })
      .finally(() => (this.#driving = undefined));
  }

  async #run(): Promise<void> {
    for (;;) {
      const update = this.#store.table.current();
      if (update === undefined || this.#stopping.signal.aborted || this.#leaves) return;
      this.#step = new AbortController();
      const { happening, late } = await this.#timer.run(this.#step, this.#tryStep(update, this.#step.signal));
      const what = happening ?? (late === undefined ? undefined : await this.#late(update, late));
      if (what !== undefined && hasEnded(this.#apply(what))) await this.#tidy();
      if (this.#timer.settled) continue;
      // Whatever it still does must not go on beside what is done about it.
      throw new FlotillaError(
        'ours',
        'update-step-stuck',
        `the step of "${update.state}" does not let itself be ended`,
      );
    }
  }

  /** Undefined: another process goes on from here. Rejects when it was aborted. */
  async #tryStep(update: ProgramUpdate, signal: AbortSignal): Promise<ProgramHappening | undefined> {
    try {
      return await this.#perform(update, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof OfferExpired) return { type: 'cancelled', reason: error.reason };
      return { type: 'failed', reason: reasonOf(error) };
    }
  }

  /** What has run is gone back from; undefined: by another process. */
  async #late(update: ProgramUpdate, late: ProgramHappening): Promise<ProgramHappening | undefined> {
    if (late.type !== 'timed-out' || update.state !== 'testing' || this.#folder === undefined) return late;
    const facts = await this.#facts(this.#folder);
    await this.#bar(this.#folder, late, update);
    if (facts.runs === update.bundle.bundleUuid) {
      this.#leave(this.#option.launch);
      return undefined;
    }
    const hasRun = facts.trial?.bundleUuid === update.bundle.bundleUuid && facts.trial.starts > 0;
    return hasRun ? { type: 'fell-back', after: runningOf(facts), reason: late.reason } : late;
  }

  /** Undefined: another process goes on from here. */
  async #perform(update: ProgramUpdate, signal: AbortSignal): Promise<ProgramHappening | undefined> {
    if (update.state === 'downloading') return this.#download(update, signal);
    const { launch } = this.#option;
    const folder = this.#folder;
    if (launch === undefined || folder === undefined) throw new Error('without a launcher nothing is on trial');
    const { bundleUuid } = update.bundle;
    const verdict = programVerdict(update, await this.#facts(folder));
    if ('happening' in verdict) {
      // Not started any more from here on, whatever cuts this short: the record is written before it goes.
      if (verdict.happening.type === 'fell-back' || verdict.happening.type === 'failed')
        await this.#bar(folder, verdict.happening, update);
      return verdict.happening;
    }
    switch (verdict.next) {
      case 'place':
        return this.#place(folder, update, signal);
      case 'prove':
        return this.#prove(folder, update, signal);
      case 'switch':
        await folder.adopt(bundleUuid);
        return { type: 'switched' };
      case 'restart':
        await this.#restart(launch, signal);
        return undefined;
    }
  }

  async #download(update: ProgramUpdate, signal: AbortSignal): Promise<ProgramHappening> {
    const { link, clock, directory } = this.#option;
    const { bundle, updateId } = update;
    const path = programDownload(directory);
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    if (size === undefined) this.#store.parts.clearParts(updateId);
    const parts = this.#store.parts.parts(updateId);
    await downloadBundle({
      file: bundle,
      path,
      link,
      clock,
      signal,
      parts,
      admit: async () => assertWanted(update, link.coordinatorNowMs()),
      onPart: (part) => this.#store.parts.markPart(updateId, part),
    });
    const checked = await checkProgramBundle(this.#bundle(update));
    if ('lost' in checked) return { type: 'bundle-lost' };
    if ('refused' in checked) return { type: 'refused', reason: checked.refused };
    return { type: 'bundle-verified', downloadedBytes: partsBytes(bundle, parts) };
  }

  async #place(folder: ProgramFolder, update: ProgramUpdate, signal: AbortSignal): Promise<ProgramHappening> {
    const placed = await placeProgram(folder, this.#bundle(update), signal);
    if ('lost' in placed) return { type: 'bundle-lost' };
    if ('refused' in placed) return { type: 'failed', reason: placed.refused };
    return { type: 'placed' };
  }

  /** By the new program alone. One that does not manage says why, and leaves: the launcher starts the old one. */
  async #prove(
    folder: ProgramFolder,
    update: ProgramUpdate,
    signal: AbortSignal,
  ): Promise<ProgramHappening | undefined> {
    const { logger, launch } = this.#option;
    const { reason, ...proof } = await proveProgram({
      ...this.#option,
      startedAtMs: this.#startedAtMs,
      probeDatabase: () => this.#store.within(() => this.#store.table.save(update)),
      signal,
    });
    if (reason === undefined) return { type: 'passed', after: runningOf(this.#identity()), ...proof };
    logger.error({ update: update.updateId, reason }, 'this agent did not prove itself: the one before comes back');
    await folder.fail(update.bundle.bundleUuid, `${reason.code}: ${reason.message}`);
    this.#leave(launch);
    return undefined;
  }

  async #restart(launch: LaunchOption, signal: AbortSignal): Promise<void> {
    const { clock, busy, logger } = this.#option;
    const endMs = clock.monotonicMs() + maxBusySeconds * 1_000;
    for (let why = busy(); why !== undefined && clock.monotonicMs() < endMs; why = busy()) {
      logger.debug({ why }, 'the restart of the agent waits');
      await sleep(clock, busyPollMs, signal);
    }
    logger.info('the agent leaves its place to the one on trial');
    this.#leave(launch);
  }

  #leave(launch: LaunchOption | undefined): void {
    this.#leaves = true;
    launch?.restart();
  }

  async #bar(
    folder: ProgramFolder,
    happening: ProgramHappening & { reason: { code: string; message: string } },
    update: ProgramUpdate,
  ): Promise<void> {
    const trial = await folder.trial();
    if (trial?.bundleUuid !== update.bundle.bundleUuid || trial.failed !== undefined) return;
    await folder.fail(trial.bundleUuid, `${happening.reason.code}: ${happening.reason.message}`);
  }

  #apply(happening: ProgramHappening): ProgramUpdate {
    const next = this.#store.apply(happening);
    const { updateId: update, state, reason } = next;
    this.#option.logger.info(
      { update, state, attempt: next.attempts[state], reason: reason?.code },
      'update of the agent',
    );
    this.#tell();
    return next;
  }

  #tell(): void {
    this.#option.link.wake();
    this.#option.onChange?.();
  }

  /** What an update that has ended left goes; what runs, what is tried, and what has proven itself stays. */
  async #tidy(): Promise<void> {
    const current = this.#store.table.current();
    if (current === undefined) await rm(programDownload(this.#option.directory), { force: true });
    const folder = this.#folder;
    if (folder === undefined) return;
    const { bundle: runs } = this.#option.launch!;
    const trial = await folder.read('trial');
    const isTried = trial !== undefined && trial === current?.bundle.bundleUuid;
    if (trial !== undefined && !isTried) {
      await folder.endTrial();
      const adopted = await folder.read('current');
      if (trial === runs && trial !== adopted) {
        // On trial, and nobody knows of an update: its record is gone with the database. Nothing proves it.
        this.#leave(this.#option.launch);
        return;
      }
    }
    const [last] = this.#store.table.newest(1);
    if (last !== undefined && hasEnded(last) && last.state !== 'committed' && last.bundle.bundleUuid !== runs)
      await folder.discard(last.bundle.bundleUuid);
    await folder.prune([runs]);
  }

  /** What this process is, whatever the files say by now. */
  #identity(): Pick<ProgramFacts, 'runs' | 'version' | 'bootId'> {
    const { launch, agentVersion: version } = this.#option;
    return { runs: launch?.bundle, version, bootId: this.#store.now().bootId };
  }

  async #facts(folder: ProgramFolder): Promise<ProgramFacts> {
    const [trial, current] = await Promise.all([folder.trial(), folder.read('current')]);
    return { ...this.#identity(), trial, current };
  }

  #bundle({ bundle }: ProgramUpdate): PlaceOption {
    return { path: programDownload(this.#option.directory), offer: bundle, publicKeys: this.#option.publicKeys };
  }
}

function programDownload(directory: string): string {
  return join(directory, 'agent-download.fw');
}

function reasonOf(error: unknown): { code: string; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  return { code: error instanceof FlotillaError ? error.code : 'program-fault', message: message.slice(0, 512) };
}
