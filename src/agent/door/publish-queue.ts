import { FlotillaError } from '../../error.ts';
import { DoorError, type Pressure, type Published } from '../../door/index.ts';
import { isLogFull, type DeviceLog } from '../../eventlog/index.ts';
import type { LaneRow } from './event-row.ts';
import { logRefusal } from './log-refusal.ts';

export interface PublishQueueOption {
  log: Pick<DeviceLog, 'appendAll' | 'transact'>;
  monotonicMs(): number;
  /** Rows are on disk. */
  onCommit(): void;
  onPressure(): void;
  /** An error that is not meant for a program. */
  onFault(error: unknown): void;
}

interface Waiting {
  rows: readonly LaneRow[];
  bytes: number;
  resolve(published: Published[]): void;
  reject(error: FlotillaError): void;
}

/** Beyond one of these a publish is refused as busy. */
const maxWaitingRows = 4_096;
const maxWaitingBytes = 8 * 1024 * 1024;
/** Of one transaction: the link has its turn after each. */
const maxBatchRows = 1_024;
const maxBatchBytes = 2 * 1024 * 1024;

const leastRetryMs = 20;

/**
 * Group commit: what all connections have brought in one turn of the loop is one transaction, and is confirmed after
 * it. A publish that the log does not take spoils no other: the batch is halved until it stands alone.
 */
export class PublishQueue {
  readonly #option: PublishQueueOption;
  #queue: Waiting[] = [];
  #rows = 0;
  #bytes = 0;
  #scheduled = false;
  #pressure: Pressure = 'none';
  /** How long the last transaction took. */
  #lastMs = 0;

  constructor(option: PublishQueueOption) {
    this.#option = option;
  }

  get pressure(): Pressure {
    return this.#pressure;
  }

  /** Resolves when the rows are on disk, all of them or none. @throws DoorError `busy` at once */
  add(rows: readonly LaneRow[]): Promise<Published[]> {
    const bytes = rows.reduce((sum, { row }) => sum + row.payload.length, 0);
    const full = this.#rows + rows.length > maxWaitingRows || this.#bytes + bytes > maxWaitingBytes;
    if (full && this.#queue.length > 0) {
      this.#press('busy');
      throw busy(this.#retryAfterMs());
    }
    this.#rows += rows.length;
    this.#bytes += bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({ rows, bytes, resolve, reject });
      this.#schedule();
    });
  }

  /** Writes what waits. */
  flush(): void {
    while (this.#queue.length > 0) this.#commit();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After everything that this turn of the loop brings in, from whatever connection.
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#queue.length === 0) return;
      this.#commit();
      if (this.#queue.length > 0) this.#schedule();
      else if (this.#pressure === 'busy') this.#press('none');
    });
  }

  #commit(): void {
    const batch = this.#takeBatch();
    const beganMs = this.#option.monotonicMs();
    const stored = this.#store(batch);
    this.#lastMs = this.#option.monotonicMs() - beganMs;
    if (stored > 0) this.#option.onCommit();
  }

  #takeBatch(): Waiting[] {
    let rows = 0;
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      rows += waiting.rows.length;
      bytes += waiting.bytes;
      if (count > 0 && (rows > maxBatchRows || bytes > maxBatchBytes)) break;
      count += 1;
    }
    const batch = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    for (const waiting of batch) {
      this.#rows -= waiting.rows.length;
      this.#bytes -= waiting.bytes;
    }
    return batch;
  }

  /** How many were stored. */
  #store(batch: readonly Waiting[]): number {
    const { log } = this.#option;
    let seqs: number[][];
    try {
      seqs =
        batch.length === 1
          ? [log.appendAll(batch[0]!.rows)] // by itself it tries once more after room was made
          : log.transact(() => batch.map(({ rows }) => log.appendAll(rows)));
    } catch (error) {
      const half = Math.ceil(batch.length / 2);
      if (batch.length > 1) return this.#store(batch.slice(0, half)) + this.#store(batch.slice(half));
      batch[0]!.reject(this.#refusal(error));
      return 0;
    }
    if (this.#pressure === 'full') this.#press('none');
    for (const [at, { rows, resolve }] of batch.entries()) {
      resolve(rows.map(({ lane }, n) => ({ lane: lane as Published['lane'], seq: seqs[at]![n]! })));
    }
    return batch.length;
  }

  #refusal(error: unknown): FlotillaError {
    if (isLogFull(error)) this.#press('full');
    const refusal = logRefusal(error);
    if (refusal !== undefined) return refusal;
    this.#option.onFault(error);
    return new FlotillaError('ours', 'eventlog-failed', 'the event could not be stored', { cause: error });
  }

  #retryAfterMs(): number {
    const batches = Math.ceil(this.#rows / maxBatchRows);
    return Math.max(leastRetryMs, Math.ceil(batches * this.#lastMs));
  }

  #press(pressure: Pressure): void {
    if (this.#pressure === pressure) return;
    this.#pressure = pressure;
    this.#option.onPressure();
  }
}

export function busy(retryAfterMs: number): DoorError {
  return new DoorError('failed', 'busy', 'too many events wait for the disk of this device', {
    suggestion: `try again in ${retryAfterMs} ms; this one was not stored`,
    retryAfterMs,
  });
}
