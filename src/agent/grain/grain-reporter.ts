import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import { grainDigest } from '../../protocol/grain-digest.ts';
import { Lane, type Row } from '../../protocol/lane.ts';
import { changeOf } from './grain-change.ts';
import type { Grains } from './machine-grain.ts';
import { ReportedGrains } from './reported-grain.ts';

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

/**
 * Reads the grains now and then, and reports them when they are not what was reported last: what has changed, where the
 * coordinator takes that and has acknowledged the report before; else the whole set. A coordinator that has another set
 * than the change was made from asks for the whole one (`grains.refresh`).
 */
export class GrainReporter {
  readonly #option: GrainReporterOption;
  readonly #reported: ReportedGrains;
  #cancel: (() => void) | undefined;
  #reading: Promise<void> = Promise.resolve();
  readonly #first = Promise.withResolvers<Grains>();
  #last: Grains | undefined;
  #stopped = false;

  constructor(option: GrainReporterOption) {
    this.#option = option;
    this.#reported = new ReportedGrains(option.database);
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

  /** What was read last; the first reading is waited for. */
  known(): Promise<Grains> {
    return this.#last === undefined ? this.#first.promise : Promise.resolve(this.#last);
  }

  /** One reading after the other. `always`: report even what was reported before. */
  refresh({ always = false } = {}): Promise<void> {
    this.#reading = this.#reading.then(() => this.#report(always));
    return this.#reading;
  }

  /** Whose coordinator takes changes or not. One that does not has never understood a change that was sent. */
  meet({ takesChanges }: { takesChanges: boolean }): void {
    this.#reported.takesChanges = takesChanges;
    if (!takesChanges && this.#reported.last?.isChange === true) void this.refresh({ always: true });
  }

  /**
   * For a device that waits for its operator, who decides by what it claims: on the one lane that is open to it. What is
   * on the lane of states goes out as well, once that is open.
   */
  claim(): Promise<void> {
    this.#reading = this.#reading.then(() =>
      this.#read((grains) => void this.#option.log.append(Lane.control, this.#whole(grains))),
    );
    return this.#reading;
  }

  #report(always: boolean): Promise<void> {
    return this.#read((grains) => {
      const digest = grainDigest(grains);
      if (!always && this.#reported.digest === digest) return;
      this.#option.log.transact(() => this.#write(grains, digest, always));
    });
  }

  async #read(use: (grains: Grains) => void): Promise<void> {
    if (this.#stopped) return;
    const { logger, collect, onReport } = this.#option;
    try {
      const grains = await collect();
      if (this.#stopped) return; // cut short, so not the whole set
      this.#last = grains;
      this.#first.resolve(grains);
      use(grains);
      onReport();
    } catch (error) {
      logger.error({ err: error }, 'the grains could not be read');
    }
  }

  #write(grains: Grains, digest: string, always: boolean): void {
    const { log, clock } = this.#option;
    const whole = this.#whole(grains);
    const base = always ? undefined : this.#base();
    const change =
      base === undefined
        ? undefined
        : jsonRow({ type: 'flotilla.grains-change', timestampMs: clock.nowMs(), value: changeOf(base, grains) });
    const isChange = change !== undefined && change.payload.length < whole.payload.length;
    const seq = log.append(Lane.state, isChange ? change : whole);
    this.#reported.put({ grains, digest, instanceId: log.instanceId.toString(16), seq, isChange });
  }

  #whole(grains: Grains): Row {
    return jsonRow({ type: 'flotilla.grains', timestampMs: this.#option.clock.nowMs(), value: { grains } });
  }

  /** What the coordinator has, as far as it has said. What waits in the log is replaced by a whole set, not added to. */
  #base(): Grains | undefined {
    const { log } = this.#option;
    const last = this.#reported.takesChanges ? this.#reported.last : undefined;
    const isStored =
      last !== undefined &&
      last.instanceId === log.instanceId.toString(16) &&
      (log.ackedSeq()[Lane.state] ?? 0) >= last.seq;
    return isStored ? last.grains : undefined;
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
