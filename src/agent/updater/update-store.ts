import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { isLogFull, jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { BundleAllowedEvent } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import type { BootTime } from '../machine/boot-time.ts';
import type { UpdateReceipt } from '../../pki/update-receipt.ts';
import {
  createRevertedBundleTable,
  type RevertedBundle,
  type RevertedBundleTable,
} from '../state/reverted-bundle-table.ts';
import { createUpdateTable, type UpdateTable } from '../state/update-table.ts';
import { transition, type UpdateHappening } from './transition.ts';
import { isTerminal, updateEventOf, type Update } from './update.ts';
import type { Instant } from './update-timer.ts';

/** Signs what an update from a file came to; undefined where the key can't be used just now. */
export type ReceiptSigner = (update: Update, nowMs: number) => UpdateReceipt | undefined;

/** Records and their events: one transaction each, so that the coordinator hears exactly what is on this disk. */
export class UpdateStore {
  readonly table: UpdateTable;
  /** Grows with each update that ends as rolled back, in the same transaction. */
  readonly reverted: RevertedBundleTable;
  readonly #log: DeviceLog;
  readonly #clock: Clock;
  readonly #machine: BootTime;
  readonly #receipt: ReceiptSigner | undefined;

  constructor(option: {
    database: DatabaseSync;
    log: DeviceLog;
    clock: Clock;
    machine: BootTime;
    receipt?: ReceiptSigner;
  }) {
    this.#log = option.log;
    this.#clock = option.clock;
    this.#machine = option.machine;
    this.#receipt = option.receipt;
    this.table = createUpdateTable(option.database);
    this.reverted = createRevertedBundleTable(option.database);
  }

  /** The current update moves on; on disk when this returns. Throws when the pair is not in the table. */
  apply(happening: UpdateHappening, alongside?: () => void): Update {
    return this.#durably(() => {
      const next = this.#next(happening);
      this.save(next);
      if (happening.type === 'bundle-lost' || happening.type === 'delta-failed') this.table.clearParts(next.rolloutId);
      alongside?.();
      return next;
    });
  }

  /** The same for what only this device has to know: nothing is told. */
  note(happening: UpdateHappening): Update {
    return this.#durably(() => {
      const next = this.#next(happening);
      this.table.save(next);
      return next;
    });
  }

  now(): Instant {
    return { nowMs: this.#clock.nowMs(), bootId: this.#bootId(), uptimeMs: this.#machine.uptimeMs() };
  }

  save(update: Update): void {
    this.#durably(() => {
      this.table.save(update);
      if (update.state === 'rolled-back') this.reverted.add(revertedBy(update, this.#clock.nowMs()));
      this.announce(update);
    });
  }

  /** Says (again) how an update stands. */
  announce(update: Update): void {
    const timestampMs = this.#clock.nowMs();
    this.#log.append(
      Lane.control,
      jsonRow({ type: 'flotilla.update', key: update.rolloutId, timestampMs, value: updateEventOf(update) }),
    );
    const { rolloutId: id, receipt } = update;
    if (receipt === undefined) return;
    this.#log.append(Lane.control, jsonRow({ type: 'flotilla.receipt', key: id, timestampMs, value: { id, receipt } }));
  }

  /** The bundle may be offered again. `by` the device: somebody there said so, and the coordinator is told. */
  allowBundle(bundleUuid: string, by: 'coordinator' | 'device'): boolean {
    return this.#log.transact(() => {
      const wasReverted = this.reverted.remove(bundleUuid);
      const value: BundleAllowedEvent = { bundleUuid, by };
      const timestampMs = this.#clock.nowMs();
      this.#log.append(Lane.control, jsonRow({ type: 'flotilla.bundle-allowed', key: bundleUuid, timestampMs, value }));
      return wasReverted;
    });
  }

  /** Once more when the disk is full: the log makes room after it was refused some. What a bad release fills is no excuse. */
  #durably<Result>(work: () => Result): Result {
    try {
      return this.#log.transact(work);
    } catch (error) {
      if (!isLogFull(error)) throw error;
      return this.#log.transact(work);
    }
  }

  #next(happening: UpdateHappening): Update {
    const current = this.table.current();
    if (current === undefined) throw new Error(`no update is under way that could take "${happening.type}"`);
    const next = transition(current, happening, this.now());
    if (next.source === undefined || !isTerminal(next.state)) return next;
    const receipt = this.#receipt?.(next, this.#clock.nowMs());
    return receipt === undefined ? next : { ...next, receipt };
  }

  /** One that can't be read makes no restart: nothing is proven by it, and time goes on as if there were none. */
  #bootId(): string {
    try {
      return this.#machine.bootId();
    } catch {
      return '';
    }
  }

  within<Result>(work: () => Result): Result {
    return this.#log.transact(work);
  }
}

function revertedBy({ bundle: { bundleUuid, version }, decidedAtMs, reason }: Update, nowMs: number): RevertedBundle {
  const why = reason === undefined ? 'rolled back' : `${reason.code}: ${reason.message}`;
  return { bundleUuid, version, atMs: decidedAtMs ?? nowMs, reason: why.slice(0, 512) };
}
