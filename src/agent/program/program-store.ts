import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { isLogFull, jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import { Lane } from '../../protocol/lane.ts';
import type { BootTime } from '../machine/boot-time.ts';
import { createProgramUpdateTable, type ProgramUpdateTable } from '../state/program-update-table.ts';
import { createRevertedBundleTable, type RevertedBundleTable } from '../state/reverted-bundle-table.ts';
import { createUpdateTable, type UpdateTable } from '../state/update-table.ts';
import type { Instant } from '../updater/update-timer.ts';
import { programTransition, type ProgramHappening } from './program-table.ts';
import { hasEnded, programEventOf, type ProgramUpdate } from './program-update.ts';

/** Records and their events: one transaction each, so that the coordinator hears exactly what is on this disk. */
export class ProgramStore {
  readonly table: ProgramUpdateTable;
  /** The device's one list, of firmware and programs alike: whoever allows a bundle need not know which it is. */
  readonly reverted: RevertedBundleTable;
  /** Of files by parts; ids of both kinds of updates are apart. */
  readonly parts: Pick<UpdateTable, 'parts' | 'markPart' | 'clearParts'>;
  readonly #log: DeviceLog;
  readonly #clock: Clock;
  readonly #machine: BootTime;

  constructor(option: { database: DatabaseSync; log: DeviceLog; clock: Clock; machine: BootTime }) {
    const { database } = option;
    this.#log = option.log;
    this.#clock = option.clock;
    this.#machine = option.machine;
    this.table = createProgramUpdateTable(database);
    this.reverted = createRevertedBundleTable(database);
    this.parts = createUpdateTable(database);
  }

  /** The current update moves on; on disk when this returns. Throws when the pair is not in the table. */
  apply(happening: ProgramHappening): ProgramUpdate {
    return this.#durably(() => {
      const next = this.#next(happening);
      if (happening.type === 'bundle-lost' || hasEnded(next)) this.parts.clearParts(next.updateId);
      this.#save(next);
      return next;
    });
  }

  /** Time has passed: only this device has to know. */
  tick(): void {
    this.#durably(() => this.table.save(this.#next({ type: 'ticked' })));
  }

  now(): Instant {
    return { nowMs: this.#clock.nowMs(), bootId: this.#bootId(), uptimeMs: this.#machine.uptimeMs() };
  }

  /** Takes the record of an offer, or only says that it is refused. */
  answer(update: ProgramUpdate): void {
    if (update.state === 'rejected') return this.announce(update);
    this.table.forget(update.updateId);
    this.#save(update);
  }

  /** Says (again) how an update stands. */
  announce(update: ProgramUpdate): void {
    const value = programEventOf(update);
    const timestampMs = this.#clock.nowMs();
    this.#log.append(Lane.control, jsonRow({ type: 'flotilla.update', key: update.updateId, timestampMs, value }));
  }

  within<Result>(work: () => Result): Result {
    return this.#log.transact(work);
  }

  #next(happening: ProgramHappening): ProgramUpdate {
    const current = this.table.current();
    if (current !== undefined) return programTransition(current, happening, this.now());
    throw new Error(`no update of the agent is under way that could take "${happening.type}"`);
  }

  /** One that can't be read proves nothing here, and is left out of nothing. */
  #bootId(): string {
    try {
      return this.#machine.bootId();
    } catch {
      return '';
    }
  }

  #save(update: ProgramUpdate): void {
    this.table.save(update);
    if (update.state === 'rolled-back') {
      const { bundle, reason, decidedAtMs } = update;
      const why = reason === undefined ? 'rolled back' : `${reason.code}: ${reason.message}`;
      const atMs = decidedAtMs ?? this.#clock.nowMs();
      this.reverted.add({ bundleUuid: bundle.bundleUuid, version: bundle.version, atMs, reason: why.slice(0, 512) });
    }
    this.announce(update);
  }

  /** Once more when the disk is full: the log makes room after it was refused some. */
  #durably<Result>(work: () => Result): Result {
    try {
      return this.#log.transact(work);
    } catch (error) {
      if (!isLogFull(error)) throw error;
      return this.#log.transact(work);
    }
  }
}
