import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { RecoveryAnswer } from '../../protocol/recovery.ts';
import { dialRecovery } from '../../transport/recovery-dialer.ts';
import { RetryTimer } from '../link/backoff.ts';
import { loadIdentity } from '../link/identity.ts';
import type { Backoff, LinkEndpoint } from '../link/link-option.ts';
import type { IdentityFiles } from './identity-folder.ts';

export interface RecoveryOption {
  endpoint: LinkEndpoint;
  clock: Clock;
  logger: Log;
  backoff: Backoff;
  random?: () => number;
}

const timeoutMs = 30_000;

/** When the recovery port is asked: at once by nobody, in turn by everybody, and less often the longer it says no. */
export class Recovery {
  readonly #option: RecoveryOption;
  readonly #retry: RetryTimer;
  #pending: (() => void) | undefined;
  #running: Promise<void> | undefined;
  /** What the coordinator has asked us to wait. */
  #hintMs = 0;

  constructor(option: RecoveryOption) {
    this.#option = option;
    this.#retry = new RetryTimer(option.backoff, option.random ?? Math.random);
  }

  /** `work` is wanted; it is done after a wait, unless one is under way already. */
  due(work: () => Promise<void>): void {
    if (this.#pending !== undefined || this.#running !== undefined) return;
    this.#pending = this.#option.clock.schedule(this.#retry.nextMs(this.#hintMs), () => {
      this.#pending = undefined;
      this.#running = work()
        .catch((error: unknown) => this.#option.logger.warn({ err: error }, 'the recovery port did not help'))
        .finally(() => (this.#running = undefined));
    });
  }

  async ask(files: IdentityFiles, csr: Uint8Array, signal: AbortSignal): Promise<RecoveryAnswer> {
    const { keyPem, certificatePem, authorityPem } = await loadIdentity(files);
    const { endpoint } = this.#option;
    const answer = await dialRecovery({ ...endpoint, keyPem, certificatePem, authorityPem, csr, timeoutMs, signal });
    this.#hintMs = answer.kind === 'later' ? answer.retryAfterSeconds * 1_000 : 0;
    return answer;
  }

  /** The link lives: the next time waits as the first did. */
  reset(): void {
    this.#pending?.();
    this.#pending = undefined;
    this.#hintMs = 0;
    this.#retry.lived(Infinity);
  }

  /** Waits for what is under way; nothing begins any more. */
  async idle(): Promise<void> {
    this.#pending?.();
    this.#pending = undefined;
    await this.#running;
  }
}
