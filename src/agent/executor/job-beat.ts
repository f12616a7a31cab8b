import type { Clock } from '../../clock.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import type { JobBeatEvent } from '../../protocol/event.ts';
import { jobBeatMs } from '../../protocol/job-beat.ts';
import { Lane } from '../../protocol/lane.ts';
import type { Link } from '../link/port.ts';

export interface JobBeatOption {
  log: Pick<DeviceLog, 'append'>;
  link: Pick<Link, 'wake'>;
  clock: Clock;
  logger: Log;
  /** What runs now, by job id. */
  running: ReadonlyMap<string, { startedAtMs: number }>;
}

/** Tells what runs, in one small event that replaces the one before, so that nobody has to ask. */
export class JobBeat {
  readonly #option: JobBeatOption;
  #cancel: (() => void) | undefined;

  constructor(option: JobBeatOption) {
    this.#option = option;
  }

  /** Something runs. */
  start(): void {
    this.#cancel ??= this.#option.clock.schedule(jobBeatMs, () => this.#beat());
  }

  stop(): void {
    this.#cancel?.();
  }

  #beat(): void {
    const { log, clock, link, logger, running } = this.#option;
    this.#cancel = undefined;
    if (running.size === 0) return;
    this.start();
    try {
      const value: JobBeatEvent = {
        running: Array.from(running, ([jobId, { startedAtMs }]) => ({ jobId, startedAtMs })),
      };
      log.append(Lane.state, jsonRow({ type: 'flotilla.job-beat', timestampMs: clock.nowMs(), value }));
      link.wake();
    } catch (error) {
      logger.warn({ err: error }, 'what runs could not be told'); // a full log: the next time
    }
  }
}
