import type { UpdateCancel, UpdateOffer } from '../../protocol/request.ts';
import type { RevertedBundle } from '../state/reverted-bundle-table.ts';
import { judgeOffer } from './offer.ts';
import type { UpdateHappening } from './transition.ts';
import { isFinal, isTerminal, type Update } from './update.ts';
import { UpdateSteps } from './update-step.ts';
import { UpdateStore } from './update-store.ts';
import type { UpdaterOption } from './updater-option.ts';

/** Carries one update at a time through its states. Each state is on disk before anything of it is done. */
export class Updater {
  readonly #option: UpdaterOption;
  readonly #store: UpdateStore;
  readonly #steps: UpdateSteps;
  #step = new AbortController();
  #driving: Promise<void> | undefined;
  #stopped = false;

  constructor(option: UpdaterOption) {
    this.#option = option;
    this.#store = new UpdateStore(option);
    this.#steps = new UpdateSteps(option, this.#store);
  }

  /** True once the new slot has failed and the old one is set to boot: the watchdog may starve. */
  get givenUp(): boolean {
    return this.#steps.givenUp;
  }

  /** The update under way, else the last one that ended. */
  get last(): Update | undefined {
    return this.#store.table.last();
  }

  /** Takes up what an earlier process left. Rejects when the machine's state can't be read or written. */
  async start(): Promise<void> {
    const current = this.#store.table.current();
    if (current === undefined) {
      await this.#steps.removeDownload();
      return;
    }
    await this.#apply(await this.#steps.resume(current));
    this.#drive();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#step.abort(new Error('the agent stops'));
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
      if (known && (isFinal(known.state) || !isTerminal(known.state))) return this.#store.announce(known);
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
      if (answer.state === 'rejected') this.#store.announce(answer);
      else this.#store.save(answer);
    });
    link.wake();
    this.#drive();
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
      if (current?.rolloutId !== rolloutId) return;
      if (!['offered', 'downloading', 'verified'].includes(current.state)) return;
      this.#store.apply({ type: 'cancelled', reason: { code: 'cancelled', message: reason } });
    });
    if (this.#store.table.current() === undefined) this.#step.abort(new Error('cancelled'));
    this.#option.link.wake();
  }

  #drive(): void {
    if (this.#driving || this.#stopped || this.#store.table.current() === undefined) return;
    this.#driving = this.#runSafely();
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
      const update = this.#store.table.current();
      if (update === undefined || this.#stopped) return;
      this.#step = new AbortController();
      const { signal } = this.#step;
      const happening = await this.#steps.perform(update, signal).catch(() => undefined);
      if (signal.aborted || happening === undefined) {
        await this.#steps.removeDownload();
        continue;
      }
      await this.#apply(happening);
    }
  }

  async #apply(happening: UpdateHappening): Promise<void> {
    const { logger, link, onDecided } = this.#option;
    const next = this.#store.apply(happening);
    logger.info(
      { rollout: next.rolloutId, state: next.state, attempt: next.attempts[next.state], reason: next.reason?.code },
      'update',
    );
    link.wake();
    if (!isTerminal(next.state)) return;
    await this.#steps.removeDownload();
    onDecided?.();
  }
}
