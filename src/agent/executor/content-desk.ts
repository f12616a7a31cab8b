import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { Content } from '../../protocol/job-action.ts';
import { isPassing, type ContentCache } from './content-cache.ts';

export interface ContentDeskOption {
  cache: Pick<ContentCache, 'fetch'>;
  clock: Clock;
  logger: Log;
  /** There is news: look again at the jobs that wait. */
  onChange(): void;
}

const retryMs = 5_000;
/** A refusal may only mean that the coordinator has just started. */
const maxRefusals = 3;

/** Fetches what jobs wait for, one after the other, before they start: what is only fetched has not run. */
export class ContentDesk {
  readonly #option: ContentDeskOption;
  readonly #ready = new Set<string>();
  readonly #failed = new Map<string, string>();
  readonly #refusals = new Map<string, number>();
  readonly #stopping = new AbortController();
  #fetching: Promise<void> | undefined;
  #cancelRetry: () => void = () => undefined;

  constructor(option: ContentDeskOption) {
    this.#option = option;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelRetry();
    await this.#fetching;
  }

  /** Is it here? If not, it is being fetched from now on; `failed` when it can't be had. */
  look(content: Content): 'ready' | 'coming' | { failed: string } {
    const { sha256 } = content;
    if (this.#ready.has(sha256)) return 'ready';
    const failed = this.#failed.get(sha256);
    if (failed !== undefined) {
      this.#failed.delete(sha256); // said once; another job may try anew
      return { failed };
    }
    if (this.#fetching === undefined && !this.#stopping.signal.aborted) this.#fetching = this.#fetch(content);
    return 'coming';
  }

  async #fetch(content: Content): Promise<void> {
    const { cache, clock, logger, onChange } = this.#option;
    const { sha256, sizeBytes } = content;
    let waitMs = 0;
    try {
      await cache.fetch(content, this.#stopping.signal);
      this.#ready.add(sha256);
      this.#refusals.delete(sha256);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ sha256, sizeBytes, reason }, 'content of a job could not be fetched');
      if (isPassing(error) || this.#mayBeGranted(sha256, error)) waitMs = retryMs;
      else this.#failed.set(sha256, reason);
    }
    this.#fetching = undefined;
    if (this.#stopping.signal.aborted) return;
    this.#cancelRetry();
    if (waitMs === 0) setImmediate(onChange);
    else this.#cancelRetry = clock.schedule(waitMs, onChange);
  }

  #mayBeGranted(sha256: string, error: unknown): boolean {
    if (!(error instanceof FlotillaError) || error.code !== 'blob-refused') return false;
    const refusals = (this.#refusals.get(sha256) ?? 0) + 1;
    this.#refusals.set(sha256, refusals);
    if (refusals < maxRefusals) return true;
    this.#refusals.delete(sha256);
    return false;
  }
}
