import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../clock.ts';
import { jsonRow, type DeviceLog, type LogState } from '../eventlog/index.ts';
import type { Log } from '../log.ts';
import type { LogEvent } from '../protocol/event.ts';
import { Lane } from '../protocol/lane.ts';
import type { Link } from './link/port.ts';
import { createValueTable } from './state/value-table.ts';

export interface LogReporterOption {
  database: DatabaseSync;
  log: DeviceLog;
  link: Pick<Link, 'onChange' | 'wake'>;
  clock: Clock;
  logger: Log;
}

/** How often is looked whether what waited still waits; the first report of a lag, too. */
const lookMs = 10_000;
const maxEveryMs = 3_600_000;
const dayMs = 86_400_000;
const reportedName = 'log-reported-at';

/**
 * Tells how the log stands, and no more often than somebody needs it: once a day, and while a session that has begun
 * with something waiting does not get through it, at intervals that double; then once more when it has.
 */
export class LogReporter {
  readonly #option: LogReporterOption;
  readonly #cancel = { look: () => {}, daily: () => {} };
  #unsubscribe: (() => void) | undefined;
  #live = false;
  /** Of each lane the number that a later look must find acknowledged. */
  #mark: number[] = [];
  #lag = { sinceMs: 0, nextMs: lookMs, told: false };

  constructor(option: LogReporterOption) {
    this.#option = option;
  }

  start(): void {
    const { database, clock, link } = this.#option;
    const values = createValueTable(database);
    if (values.get(reportedName) === undefined) values.set(reportedName, String(clock.nowMs()));
    this.#unsubscribe = link.onChange(({ state }) => {
      const live = state === 'live';
      if (live === this.#live) return;
      this.#live = live;
      if (live) this.#begin();
      else this.#rest();
    });
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#rest();
  }

  #begin(): void {
    const { log, clock } = this.#option;
    this.#lag = { sinceMs: clock.monotonicMs(), nextMs: lookMs, told: false };
    this.#mark = log.nextSeq().map((seq) => seq - 1);
    this.#look();
    this.#awaitDay();
  }

  #rest(): void {
    this.#cancel.look();
    this.#cancel.daily();
  }

  #look(): void {
    this.#cancel.look = this.#option.clock.schedule(lookMs, () => this.#safely(() => this.#judge()));
  }

  /** An event that has just been sent is no lag: only what was there at the look before counts. */
  #judge(): void {
    const { log, clock } = this.#option;
    const lags = log.ackedSeq().some((seq, lane) => seq < this.#mark[lane]!);
    const { sinceMs, nextMs, told } = this.#lag;
    if (!lags) {
      if (told) this.#report();
      return;
    }
    this.#mark = log.nextSeq().map((seq) => seq - 1);
    if (clock.monotonicMs() - sinceMs >= nextMs) {
      this.#report();
      this.#lag = { sinceMs: clock.monotonicMs(), nextMs: Math.min(maxEveryMs, nextMs * 2), told: true };
    }
    this.#look();
  }

  /** Counted over restarts; a clock that was set back does not put it off. */
  #awaitDay(): void {
    const { database, clock } = this.#option;
    const sinceMs = clock.nowMs() - Number(createValueTable(database).get(reportedName) ?? 0);
    const waitMs = sinceMs < 0 ? 0 : Math.max(0, dayMs - sinceMs);
    this.#cancel.daily = clock.schedule(waitMs, () => this.#safely(() => this.#report()));
  }

  #report(): void {
    const { database, log, link, clock } = this.#option;
    log.transact(() => {
      createValueTable(database).set(reportedName, String(clock.nowMs()));
      const value = logEventOf(log.state());
      log.append(Lane.control, jsonRow({ type: 'flotilla.log', timestampMs: clock.nowMs(), value }));
    });
    link.wake();
    this.#cancel.daily();
    this.#awaitDay();
  }

  /** A report that can't be written costs a line. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#option.logger.error({ err: error }, 'the state of the log could not be reported');
    }
  }
}

export function logEventOf({ lanes, sinceStart, droppedRows, deadRows }: LogState): LogEvent {
  const { events, writtenBytes } = sinceStart;
  return {
    lanes: lanes.map(({ nextSeq, waitingRows, waitingBytes }) => ({ nextSeq, waitingRows, waitingBytes })),
    sinceStart: { events, ...(writtenBytes === undefined ? {} : { writtenBytes }) },
    droppedRows,
    deadRows,
  };
}
