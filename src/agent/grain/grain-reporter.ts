import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import { Lane } from '../../protocol/lane.ts';
import { createValueTable } from '../state/value-table.ts';
import type { Grains } from './machine-grain.ts';

export interface GrainReporterOption {
  database: DatabaseSync;
  log: DeviceLog;
  clock: Clock;
  logger: Log;
  collect(): Promise<Grains>;
  refreshMs: number;
  /** New rows are in the log. */
  onReport(): void;
}

const digestName = 'grains-sha256';

/** Reads the grains now and then, and reports the whole set when it is not the one that was reported last. */
export class GrainReporter {
  readonly #option: GrainReporterOption;
  #cancel: (() => void) | undefined;
  #reading: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(option: GrainReporterOption) {
    this.#option = option;
  }

  async start(): Promise<void> {
    await this.refresh();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#reading;
  }

  /** One reading after the other. `always`: report even what was reported before. */
  refresh({ always = false } = {}): Promise<void> {
    this.#reading = this.#reading.then(() => this.#report(always));
    return this.#reading;
  }

  /**
   * For a device that waits for its operator, who decides by what it claims: on the one lane that is open to it. What is
   * on the lane of states goes out as well, once that is open.
   */
  claim(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#read((grains) => this.#append(Lane.control, grains)));
    return this.#reading;
  }

  #report(always: boolean): Promise<void> {
    const { database, log } = this.#option;
    return this.#read((grains) => {
      const values = createValueTable(database);
      const digest = createHash('sha256').update(canonical(grains)).digest('hex');
      if (!always && values.get(digestName) === digest) return;
      log.transact(() => {
        values.set(digestName, digest);
        this.#append(Lane.state, grains);
      });
    });
  }

  async #read(use: (grains: Grains) => void): Promise<void> {
    if (this.#stopped) return;
    const { logger, collect, onReport } = this.#option;
    try {
      const grains = await collect();
      if (this.#stopped) return; // cut short, so not the whole set
      use(grains);
      onReport();
    } catch (error) {
      logger.error({ err: error }, 'the grains could not be read');
    }
  }

  #append(lane: Lane, grains: Grains): void {
    const { log, clock } = this.#option;
    log.append(lane, jsonRow({ type: 'flotilla.grains', timestampMs: clock.nowMs(), value: { grains } }));
  }

  #schedule(): void {
    const { clock, refreshMs } = this.#option;
    this.#cancel = clock.schedule(refreshMs, () => void this.#tick());
  }

  async #tick(): Promise<void> {
    await this.refresh();
    if (!this.#stopped) this.#schedule();
  }
}

/** JSON with sorted names, so that an order that changes is no change. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
