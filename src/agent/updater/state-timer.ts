import type { Clock } from '../../clock.ts';
import { isLogFull } from '../../eventlog/index.ts';
import type { UpdateHappening } from './transition.ts';
import { leftMs, overdue, type LimitSource } from './update-limit.ts';
import type { Update } from './update.ts';
import { timerAt } from './update-timer.ts';
import type { UpdateStore } from './update-store.ts';

export interface StateTimerOption {
  store: UpdateStore;
  clock: Clock;
  source: LimitSource;
}

/** How long a step that was told to end may take to do so. */
const graceMs = 10_000;
/** Time that has passed is written down this often within a limit: what a power cut forgets. */
const writesPerLimit = 20;
const minWriteMs = 60_000;
const maxDelayMs = 2_147_483_647;

/** Watches over the state that an update is in while its step is done, and ends the step when that takes too long. */
export class StateTimer {
  readonly #option: StateTimerOption;
  /** The last step has ended, by itself or because it was told to. */
  settled = true;
  #look: () => void = () => {};

  constructor(option: StateTimerOption) {
    this.#option = option;
  }

  /** `late`: the step was ended by its time; `happening`: it had come to an end all the same. Neither: it was aborted. */
  async run(
    step: AbortController,
    work: Promise<UpdateHappening>,
  ): Promise<{ happening?: UpdateHappening; late?: UpdateHappening }> {
    const { clock } = this.#option;
    let late: UpdateHappening | undefined;
    const given = Promise.withResolvers<undefined>();
    let cancel = () => {};
    this.#look = () => {
      if (late !== undefined) return;
      cancel();
      try {
        late = this.#judge();
        if (late === undefined) {
          cancel = clock.schedule(this.#delayMs(), this.#look);
          return;
        }
        step.abort(new Error('it took too long'));
        cancel = clock.schedule(graceMs, () => given.resolve(undefined));
      } catch (error) {
        given.reject(error);
      }
    };
    this.settled = false;
    this.#look();
    const ended = work.then(
      (happening) => {
        this.settled = true;
        return happening;
      },
      () => {
        this.settled = true;
        return undefined;
      },
    );
    const happening = await Promise.race([ended, given.promise]);
    cancel();
    this.#look = () => {};
    return { ...(happening === undefined ? {} : { happening }), ...(late === undefined ? {} : { late }) };
  }

  /** A wait has begun or ended: another limit holds. */
  poke(): void {
    this.#look();
  }

  /** Too late? Also writes down how much time has passed. */
  #judge(): UpdateHappening | undefined {
    const { store, source } = this.#option;
    const update = store.table.current();
    if (update === undefined) return undefined;
    const now = store.now();
    const late = overdue(update, source, now);
    if (late === undefined && unwrittenMs(update, timerAt(update, now)) >= this.#writeMs(update)) {
      this.#write();
    }
    return late;
  }

  /** A disk that is full just now costs what has passed since the last time, and no more. */
  #write(): void {
    try {
      this.#option.store.note({ type: 'ticked' });
    } catch (error) {
      if (!isLogFull(error)) throw error;
    }
  }

  #delayMs(): number {
    const { store, source } = this.#option;
    const update = store.table.current();
    if (update === undefined) return maxDelayMs;
    const left = leftMs(update, source, store.now());
    // A limit that is over without a consequence (a deferral) is looked at again by whoever waits.
    return Math.min(maxDelayMs, this.#writeMs(update), left > 0 ? Math.max(left, 50) : minWriteMs);
  }

  #writeMs(update: Update): number {
    const { source, store } = this.#option;
    const total = leftMs(update, source, store.now()) + spentMs(update);
    return Math.min(maxDelayMs, Math.max(minWriteMs, total / writesPerLimit));
  }
}

function spentMs({ timer, wait }: Update): number {
  return (wait === undefined ? timer?.spentMs : timer?.waitedMs[wait.code]) ?? 0;
}

/** Since the record was written. */
function unwrittenMs({ timer }: Update, now: ReturnType<typeof timerAt>): number {
  return timer === undefined ? Infinity : now.uptimeMs - timer.uptimeMs;
}
