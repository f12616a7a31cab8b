import { randomBytes } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import type { UpdateReceipt } from '../../pki/update-receipt.ts';
import type { UpdateCancel, UpdateOffer } from '../../protocol/request.ts';
import { readFileOffer } from './file-offer.ts';
import type { RevertedBundle } from '../state/reverted-bundle-table.ts';
import { judgeOffer } from './offer.ts';
import { StateTimer } from './state-timer.ts';
import { timedUpdate } from './timed-update.ts';
import type { UpdateHappening } from './transition.ts';
import { waitLeftMs } from './update-limit.ts';
import { needsApproval, type Deferral } from './update-gate.ts';
import { isFinal, isTerminal, type DeviceUpdateState, type Update } from './update.ts';
import { limitSource, UpdatePace } from './update-pace.ts';
import { UpdateSteps } from './update-step.ts';
import { UpdateStore } from './update-store.ts';
import type { UpdaterOption } from './updater-option.ts';

/** Records that the device keeps. */
const maxReceipts = 100;

/** Until the first byte is written everybody may say no. */
const revocable: ReadonlySet<DeviceUpdateState> = new Set(['offered', 'downloading', 'verified']);

/** Carries one update at a time through its states. Each state is on disk before anything of it is done. */
export class Updater {
  readonly #option: UpdaterOption;
  readonly #store: UpdateStore;
  readonly #pace: UpdatePace;
  readonly #steps: UpdateSteps;
  readonly #timer: StateTimer<UpdateHappening>;
  #step = new AbortController();
  readonly #stopping = new AbortController();
  #driving: Promise<void> | undefined;

  constructor(option: UpdaterOption) {
    this.#option = option;
    this.#store = new UpdateStore(option);
    this.#timer = new StateTimer(timedUpdate(this.#store, limitSource(option)), option.clock);
    this.#pace = new UpdatePace(option, this.#store, () => this.#timer.poke());
    this.#steps = new UpdateSteps(option, this.#store, this.#pace);
  }

  /** True once the new slot has failed and the old one is set to boot: the watchdog may starve. */
  get givenUp(): boolean {
    return this.#steps.givenUp;
  }

  /** The update under way, else the last one that ended. */
  get last(): Update | undefined {
    return this.#store.table.last();
  }

  /** The newest first, the one under way included. */
  history(limit: number): Update[] {
    return this.#store.table.newest(limit);
  }

  /** Takes up what an earlier process left. Rejects when the machine's state can't be read or written. */
  async start(): Promise<void> {
    const current = this.#store.table.current();
    if (current === undefined) await this.#steps.removeDownload();
    else await this.#apply(await this.#steps.resume(current));
    this.#drive();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the agent stops'));
    this.#step.abort(this.#stopping.signal.reason);
    await this.#driving;
  }

  /** Resolves when nothing is under way, or `stop` was called. */
  async idle(): Promise<void> {
    while (this.#driving) await this.#driving;
  }

  /** Takes or refuses an offer; `settle` runs in the same transaction as the answer. */
  async offer(offer: UpdateOffer, settle: () => void): Promise<void> {
    const fact = await this.#steps.machineFact().catch((error: Error) => error);
    const { link, clock, policy } = this.#option;
    this.#store.within(() => {
      settle();
      const known = this.#store.table.find(offer.rolloutId);
      if (known && (isFinal(known, offer.attempt) || !isTerminal(known.state))) return this.#store.announce(known);
      const current = this.#store.table.current();
      const answer = judgeOffer(offer, {
        fact,
        reverted: this.#store.reverted.find(offer.bundle.bundleUuid),
        current,
        policy,
        coordinatorNowMs: link.coordinatorNowMs(),
        nowMs: clock.nowMs(),
      });
      // An update of another rollout keeps its record; the refusal is an event alone.
      if (answer.state === 'rejected') return this.#store.announce(answer);
      this.#store.table.forget(offer.rolloutId);
      this.#store.save(answer);
    });
    this.#tell();
    this.#drive();
  }

  /**
   * Installs a bundle out of a file on this device, with no coordinator and under the same rules but for windows, rates
   * and approval. @throws FlotillaError when it is not taken, with the reason
   */
  async install(path: string): Promise<Update> {
    const { link, clock, policy } = this.#option;
    const offer = await readFileOffer(path, `f-${randomBytes(5).toString('hex')}`, clock.nowMs());
    const fact = await this.#steps.machineFact().catch((error: Error) => error);
    const source = { path, linked: link.status().state === 'live' };
    const answer = this.#store.within(() => {
      const current = this.#store.table.current();
      const reverted = this.#store.reverted.find(offer.bundle.bundleUuid);
      const context = { fact, reverted, current, policy, coordinatorNowMs: undefined, nowMs: clock.nowMs() };
      const judged: Update = { ...judgeOffer(offer, context), source };
      if (judged.state === 'rejected') this.#store.announce(judged);
      else this.#store.save(judged);
      return judged;
    });
    this.#tell();
    if (answer.state === 'rejected') {
      const { code, message } = answer.reason!;
      throw new FlotillaError('refused', code, `this device does not take ${path}: ${message}`);
    }
    this.#drive();
    return answer;
  }

  /** Of the updates from files that have ended, the newest first. */
  receipts(): UpdateReceipt[] {
    return this.#store.table.newest(maxReceipts).flatMap(({ receipt }) => receipt ?? []);
  }

  /** Bundles that this device went back from and does not take. */
  get reverted(): RevertedBundle[] {
    return this.#store.reverted.list();
  }

  /** False when the device had not gone back from it. */
  allowBundle(bundleUuid: string, by: 'coordinator' | 'device', settle: () => void = () => undefined): boolean {
    const wasReverted = this.#store.within(() => {
      settle();
      return this.#store.allowBundle(bundleUuid, by);
    });
    this.#option.link.wake();
    return wasReverted;
  }

  /** Honoured until `installing`; later the update runs to its end. */
  cancel({ rolloutId, reason }: UpdateCancel, settle: () => void): void {
    this.#store.within(() => {
      settle();
      const current = this.#store.table.current();
      if (current?.rolloutId !== rolloutId || !revocable.has(current.state)) return;
      this.#store.apply({ type: 'cancelled', reason: { code: 'cancelled', message: reason } });
    });
    this.#endStep();
  }

  /** Somebody at the device lets it be installed. @throws FlotillaError when nothing waits for that */
  approve(): Update {
    const current = this.#underWay();
    if (current.approvedAtMs !== undefined) return current;
    if (!needsApproval(current, this.#option.rules)) {
      throw new FlotillaError('refused', 'approval-not-needed', 'this update needs no approval', {
        seen: `${current.bundle.version} is ${current.state}`,
      });
    }
    const approved = this.#store.note({ type: 'noted', approvedAtMs: this.#option.clock.nowMs() });
    this.#option.logger.info({ rollout: approved.rolloutId }, 'update approved');
    this.#pace.poke();
    this.#tell();
    return approved;
  }

  /** Somebody at the device will not have it. @throws FlotillaError when it is too late for that */
  reject(reason: string): Update {
    const current = this.#underWay();
    if (!revocable.has(current.state)) {
      throw new FlotillaError('refused', 'update-too-late', 'this update can not be rejected any more', {
        seen: `it is ${current.state}`,
        expected: [...revocable].join(', '),
        suggestion: 'it comes to its end by itself: a slot that does not prove itself is left',
      });
    }
    const ended = this.#store.apply({ type: 'refused', reason: { code: 'rejected-on-device', message: reason } });
    this.#endStep();
    return ended;
  }

  /** Does it wait, or will it, for somebody at the device? */
  needsApproval(update: Update): boolean {
    return !isTerminal(update.state) && needsApproval(update, this.#option.rules);
  }

  /** How long updates may still be put off: this one, or any when none is under way. */
  get deferLeftMs(): number {
    const { rules } = this.#option;
    const current = this.#store.table.current();
    if (current === undefined) return 1_000 * rules.limits.deferSeconds;
    return waitLeftMs(current, 'deferred', limitSource(this.#option), this.#store.now());
  }

  get deferral(): Deferral | undefined {
    return this.#pace.deferral;
  }

  /** Puts off the next step of this update and of the next ones until then; undefined: no more. */
  defer(deferral: Deferral | undefined): void {
    this.#pace.defer(deferral);
    this.#tell();
  }

  /** Something that an update may wait for has changed: a hold, the grains. */
  poke(): void {
    this.#pace.poke();
  }

  #underWay(): Update {
    const current = this.#store.table.current();
    if (current !== undefined) return current;
    throw new FlotillaError('refused', 'update-none', 'no update is under way on this device', {
      suggestion: 'flotilla agent update history shows those that have ended',
    });
  }

  /** The record has ended under the step that is being done. */
  #endStep(): void {
    if (this.#store.table.current() === undefined) this.#step.abort(new Error('ended'));
    this.#tell();
  }

  #tell(): void {
    this.#option.link.wake();
    this.#option.onChange?.();
  }

  #drive(): void {
    if (this.#driving || this.#stopping.signal.aborted) return;
    if (this.#store.table.current() === undefined && this.#unhooked() === undefined) return;
    this.#driving = this.#runSafely();
  }

  /** An update that has ended, and the hooks of its end have not run. */
  #unhooked(): Update | undefined {
    return this.#store.table.newest(2).find(({ endHooksDue }) => endHooksDue === true);
  }

  async #runSafely(): Promise<void> {
    try {
      await this.#run();
    } catch (error) {
      this.#option.logger.fatal({ err: error }, 'the updater cannot go on');
      this.#option.onFatal?.(error);
      return;
    }
    this.#driving = undefined;
    this.#drive(); // an offer may have come while the last update was put away
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#stopping.signal.aborted) return;
      const ended = this.#unhooked();
      if (ended !== undefined) await this.#pace.runHooksOfEnd(ended, this.#stopping.signal);
      const update = this.#store.table.current();
      if (update === undefined || this.#stopping.signal.aborted) return;
      this.#step = new AbortController();
      const { signal } = this.#step;
      const { happening, late } = await this.#timer.run(this.#step, this.#steps.perform(update, signal));
      const isOurs = this.#store.table.current()?.rolloutId === update.rolloutId;
      // Ended by somebody else than its step, or the agent stops.
      if (!isOurs || (signal.aborted && late === undefined)) await this.#steps.removeDownload();
      else if (happening !== undefined || late !== undefined) await this.#apply(happening ?? late!);
      if (this.#timer.settled) continue;
      // Whatever it still does must not go on beside what is done about it.
      throw new FlotillaError(
        'ours',
        'update-step-stuck',
        `the step of "${update.state}" does not let itself be ended`,
      );
    }
  }

  async #apply(happening: UpdateHappening): Promise<void> {
    const { logger, onDecided } = this.#option;
    const next = this.#store.apply(happening);
    logger.info(
      { rollout: next.rolloutId, state: next.state, attempt: next.attempts[next.state], reason: next.reason?.code },
      'update',
    );
    this.#tell();
    if (!isTerminal(next.state)) return;
    await this.#steps.removeDownload();
    onDecided?.();
  }
}
