import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { Core } from '../core/core.ts';
import type { StoredDelta, StoredRelease } from '../core/core-state.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import type { Turn } from '../core/turn.ts';
import { receiveBlob } from '../service/receive-blob.ts';
import { isSharedBlob, madeDeltas, staleDeltas, type StaleDelta } from './stale-delta.ts';
import { wantedDelta, type WantedDelta } from './wanted-delta.ts';

/** Writes the delta bundle of two bundles to `outputPath`. Rejects with `refused` when there is none to be had. */
export type MakeDelta = (paths: { beforePath: string; afterPath: string; outputPath: string }) => Promise<void>;

export interface DeltaMakerOption {
  core: Core;
  clock: Clock;
  log: Log;
  blobDirectory: string;
  make: MakeDelta;
  /** Off: none is made, and those that were are removed. */
  isOn: boolean;
}

/** Devices may have come to run other bundles. */
const lookAgainMs = 15 * 60_000;

/**
 * Makes deltas in the background, one at a time: when a release is published, when the coordinator starts, and now and
 * then. Nothing waits for it: whoever is offered the release before its delta is there gets the whole bundle. Then also
 * forgets those that are of no use any more, and those whose file somebody has removed.
 */
export class DeltaMaker {
  readonly #option: DeltaMakerOption;
  readonly #unsubscribe: () => void;
  #working: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;

  constructor(option: DeltaMakerOption) {
    this.#option = option;
    this.#unsubscribe = option.core.subscribe(({ kind }) => {
      if (kind === 'release') this.#look();
    });
    this.#look();
  }

  /** Waits for the delta that is being made; the process that makes it has been told to end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#cancelTimer?.();
    await this.#working;
  }

  #look(): void {
    if (this.#stopped || this.#working !== undefined) return;
    this.#cancelTimer?.();
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
      if (!this.#stopped) this.#cancelTimer = this.#option.clock.schedule(lookAgainMs, () => this.#look());
    });
  }

  async #work(): Promise<void> {
    const { core, log } = this.#option;
    try {
      await this.#tidy();
      for (;;) {
        const wanted =
          this.#stopped || !this.#option.isOn ? undefined : await core.submit(({ state }) => wantedDelta(state));
        if (wanted === undefined) return;
        await this.#record(wanted, await this.#make(wanted));
      }
    } catch (error) {
      log.warn({ err: error }, 'a delta could not be made; it is tried again later');
    }
  }

  async #tidy(): Promise<void> {
    const { core, blobDirectory, isOn, log } = this.#option;
    const { stale, made } = await core.submit(({ state }) => ({
      stale: staleDeltas(state, isOn),
      made: madeDeltas(state),
    }));
    for (const delta of stale) {
      // The file first: a crash in between leaves an entry without a file, which is found the next time.
      const isShared = await core.submit(({ state }) => isSharedBlob(state, delta));
      if (!isShared) await rm(join(blobDirectory, delta.sha256), { force: true });
      await this.#forget(delta, 'removed: nobody is offered this release any more');
    }
    for (const { sizeBytes, ...delta } of made) {
      if (stale.some(({ sha256 }) => sha256 === delta.sha256)) continue;
      const size = await stat(join(blobDirectory, delta.sha256)).then(
        (found) => found.size,
        () => undefined,
      );
      if (size === sizeBytes) continue;
      log.warn({ release: delta.releaseId, sha256: delta.sha256, size }, 'a delta is not as it was made');
      await this.#forget(delta, 'lost: its file is not there any more');
    }
  }

  #forget({ releaseId, fromUuid }: StaleDelta, reason: string): Promise<void> {
    return this.#option.core.submit((turn) => {
      const stored = turn.state.releases.get(releaseId);
      if (stored === undefined) return;
      const deltas = (stored.deltas ?? []).filter((delta) => delta.fromUuid !== fromUuid);
      putRelease(turn, { ...stored, deltas });
      const payload = { fromUuid, reason };
      appendOwnEvent(turn, { deviceId: '', type: 'coordinator.delta', key: releaseId, payload });
    });
  }

  async #make({ before, after }: WantedDelta): Promise<StoredDelta> {
    const { blobDirectory, clock, make, log } = this.#option;
    const folder = join(blobDirectory, 'tmp');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const outputPath = join(folder, randomUUID());
    const fromUuid = before.release.bundleUuid;
    const tried = { fromUuid, triedAtMs: clock.nowMs() };
    try {
      const path = (sha256: string): string => join(blobDirectory, sha256);
      await make({ beforePath: path(before.release.sha256), afterPath: path(after.release.sha256), outputPath });
      await using blob = await receiveBlob(blobDirectory, createReadStream(outputPath));
      const { sha256, sizeBytes, partBytes, partSha256 } = blob;
      if (sizeBytes >= after.release.sizeBytes) return { ...tried, reason: 'a delta is no smaller' };
      await blob.keep();
      log.info({ release: after.release.id, from: before.release.version, sizeBytes }, 'delta made');
      return { ...tried, offer: { fromUuid, sizeBytes, sha256, partBytes, partSha256 } };
    } catch (error) {
      if (!(error instanceof FlotillaError) || error.fault !== 'refused') throw error;
      const { seen } = error.detail;
      return { ...tried, reason: seen === undefined ? error.message : `${error.message}: ${seen}` };
    } finally {
      await rm(outputPath, { force: true });
    }
  }

  #record({ after }: WantedDelta, delta: StoredDelta): Promise<void> {
    const { id } = after.release;
    return this.#option.core.submit((turn) => {
      const stored = turn.state.releases.get(id);
      if (stored === undefined) return;
      putRelease(turn, { ...stored, deltas: [...(stored.deltas ?? []), delta] });
      const { fromUuid } = delta;
      const payload =
        'offer' in delta ? { fromUuid, sizeBytes: delta.offer.sizeBytes } : { fromUuid, reason: delta.reason };
      appendOwnEvent(turn, { deviceId: '', type: 'coordinator.delta', key: id, payload });
    });
  }
}

function putRelease(turn: Turn, document: StoredRelease): void {
  const { id, sha256, publishedAtMs } = document.release;
  turn.set(turn.state.releases, id, document);
  turn.write({ kind: 'release', release: { id, sha256, publishedAtMs, document } });
}
