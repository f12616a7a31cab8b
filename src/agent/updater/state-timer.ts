import type { Clock } from '../../clock.ts';
import { isLogFull } from '../../eventlog/index.ts';

/** An update that is under way, as its timer looks at it. */
export interface TimedState<Happening> {
  /** What has to happen because it took too long; undefined: it may go on. */
  overdue(): Happening | undefined;
  /** Undefined: nothing is under way. */
  spans(): TimeSpans | undefined;
  /** Writes down how much time has passed. */
  write(): void;
}

export interface TimeSpans {
  /** Until `overdue` has something to say. */
  leftMs: number;
  /** By the record. */
  spentMs: number;
  /** Since the record was written. */
  unwrittenMs: number;
}

/** How long a step that was told to end may take to do so. */
const graceMs = 10_000;
/** Time that has passed is written down this often within a limit: what a power cut forgets. */
const writesPerLimit = 20;
const minWriteMs = 60_000;
const maxDelayMs = 2_147_483_647;

/** Watches over the state that an update is in while its step is done, and ends the step when that takes too long. */
export class StateTimer<Happening extends object> {
  readonly #state: TimedState<Happening>;
  readonly #clock: Clock;
  /** The last step has ended, by itself or because it was told to. */
  settled = true;
  #look: () => void = () => {};

  constructor(state: TimedState<Happening>, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** `late`: the step was ended by its time; `happening`: it had come to an end all the same. Neither: it was aborted. */
  async run(
    step: AbortController,
    work: Promise<Happening | undefined>,
  ): Promise<{ happening?: Happening; late?: Happening }> {
    const clock = this.#clock;
    let late: Happening | undefined;
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
  #judge(): Happening | undefined {
    const late = this.#state.overdue();
    const spans = this.#state.spans();
    if (late === undefined && spans !== undefined && spans.unwrittenMs >= writeMs(spans)) this.#write();
    return late;
  }

  /** A disk that is full just now costs what has passed since the last time, and no more. */
  #write(): void {
    try {
      this.#state.write();
    } catch (error) {
      if (!isLogFull(error)) throw error;
    }
  }

  #delayMs(): number {
    const spans = this.#state.spans();
    if (spans === undefined) return maxDelayMs;
    const { leftMs } = spans;
    // A limit that is over without a consequence (a deferral) is looked at again by whoever waits.
    return Math.min(maxDelayMs, writeMs(spans), leftMs > 0 ? Math.max(leftMs, 50) : minWriteMs);
  }
}

function writeMs({ leftMs, spentMs }: TimeSpans): number {
  return Math.min(maxDelayMs, Math.max(minWriteMs, (leftMs + spentMs) / writesPerLimit));
}
