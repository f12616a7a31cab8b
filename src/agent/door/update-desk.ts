import type { Clock } from '../../clock.ts';
import type { DeviceUpdate, Id, OkOf, UpdateRecord, UpdateStatus } from '../../door/index.ts';
import { FlotillaError } from '../../error.ts';
import type { ProgramUpdater } from '../program/program-updater.ts';
import type { ProductHealth } from '../updater/product-health.ts';
import { evidenceOf, type Update } from '../updater/update.ts';
import type { Updater } from '../updater/updater.ts';
import type { DoorConnection } from './door-connection.ts';
import { recordProgram, viewProgram } from './view-program.ts';

export interface UpdateDeskOption {
  clock: Clock;
  /** Absent: this device takes no updates. */
  updater:
    | Pick<
        Updater,
        | 'last'
        | 'history'
        | 'deferral'
        | 'deferLeftMs'
        | 'needsApproval'
        | 'approve'
        | 'reject'
        | 'defer'
        | 'install'
        | 'receipts'
      >
    | undefined;
  productHealth: Pick<ProductHealth, 'report' | 'verdict'>;
  programs: Pick<ProgramUpdater, 'history'>;
}

const defaultHistory = 20;

/** What programs see of updates, and what they may say to them. */
export class UpdateDesk {
  readonly #option: UpdateDeskOption;
  readonly #watching = new Map<DoorConnection, { id: Id; told: string }>();

  constructor(option: UpdateDeskOption) {
    this.#option = option;
  }

  status(): UpdateStatus {
    const { updater, productHealth, programs } = this.#option;
    const { last, deferral } = updater ?? {};
    const { verdict } = productHealth;
    const [program] = programs.history(1);
    return {
      configured: updater !== undefined,
      ...(last === undefined ? {} : { update: this.#view(last) }),
      ...(program === undefined ? {} : { agentUpdate: viewProgram(program) }),
      ...(deferral === undefined ? {} : { deferral }),
      ...(verdict === undefined ? {} : { productHealth: verdict }),
    };
  }

  /** Of the firmware and of the agent's own program, the newest first. */
  history(limit = defaultHistory): UpdateRecord[] {
    const { updater, programs } = this.#option;
    const updates = updater?.history(limit) ?? [];
    const records = updates.map((update) => ({ ...this.#view(update), evidence: evidenceOf(update) }));
    return [...records, ...programs.history(limit).map(recordProgram)]
      .toSorted((one, other) => other.sinceMs - one.sinceMs)
      .slice(0, limit);
  }

  async install(path: string): Promise<DeviceUpdate> {
    return this.#view(await this.#updater.install(path));
  }

  receipts(): OkOf<'update.receipts'>['receipts'] {
    return this.#option.updater?.receipts() ?? [];
  }

  approve(): DeviceUpdate {
    return this.#view(this.#updater.approve());
  }

  reject(reason: string): DeviceUpdate {
    return this.#view(this.#updater.reject(reason));
  }

  defer(forSeconds: number, reason: string): OkOf<'update.defer'> {
    const { deferLeftMs } = this.#updater;
    if (deferLeftMs <= 0) {
      throw new FlotillaError('refused', 'defer-limit', 'updates of this device can not be put off any longer', {
        expected: 'what is left of update.limits.deferSeconds, and of what the rollout allows',
      });
    }
    const untilMs = this.#option.clock.nowMs() + Math.min(forSeconds * 1_000, deferLeftMs);
    const deferral = { untilMs, reason };
    this.#updater.defer(deferral);
    return { deferral };
  }

  resume(): void {
    this.#updater.defer(undefined);
  }

  report(ok: boolean, reason: string | undefined): void {
    this.#option.productHealth.report({ ok, ...(reason === undefined ? {} : { reason }) });
    this.tell();
  }

  watch(connection: DoorConnection, id: Id): UpdateStatus {
    const status = this.status();
    this.#watching.set(connection, { id, told: JSON.stringify(status) });
    return status;
  }

  forget(connection: DoorConnection): void {
    this.#watching.delete(connection);
  }

  /** Something has changed. A slow reader gets what holds when it reads on. */
  tell(): void {
    for (const [connection, watcher] of this.#watching) {
      connection.offer(watcher.id, () => {
        const status = this.status();
        const text = JSON.stringify(status);
        if (watcher.told === text) return undefined;
        watcher.told = text;
        return status;
      });
    }
  }

  get #updater(): NonNullable<UpdateDeskOption['updater']> {
    const { updater } = this.#option;
    if (updater !== undefined) return updater;
    throw new FlotillaError('refused', 'updates-not-configured', 'this device takes no updates', {
      suggestion: 'give its agent.yaml an update: section',
    });
  }

  #view(update: Update): DeviceUpdate {
    const { rolloutId, source, bundle, delta, state, attempts, enteredAtMs, downloadedBytes } = update;
    const { approvedAtMs, reason, wait } = update;
    return {
      rolloutId,
      ...(source === undefined ? {} : { source: 'file' }),
      bundleUuid: bundle.bundleUuid,
      version: bundle.version,
      state,
      attempt: attempts[state] ?? 1,
      sinceMs: enteredAtMs,
      sizeBytes: (delta ?? bundle).sizeBytes,
      downloadedBytes,
      needsApproval: this.#option.updater?.needsApproval(update) ?? false,
      ...(approvedAtMs === undefined ? {} : { approvedAtMs }),
      ...(reason === undefined ? {} : { reason }),
      ...(wait === undefined ? {} : { wait }),
    };
  }
}
