import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import type { Hook, HookAnswer } from './connect-hook.ts';

/** What the application is told of a device that asks for its first certificate. A token or a manifest has said yes already. */
export interface EnrollQuestion {
  version: 1;
  kind: 'enroll';
  fleetId: string;
  deviceId: string;
  keySha256: string;
  hardwareSerial?: string;
  address: string;
  /** `token:<id>` or `manifest`. */
  by: string;
  tags: Record<string, string>;
}

export interface EnrollGateOption {
  hook: Hook<EnrollQuestion>;
  timeoutMs: number;
  maxConcurrent: number;
  clock: Clock;
}

/** Asks so many at a time; a device beyond that is told to come back. No answer is a no. */
export class EnrollGate {
  readonly #option: EnrollGateOption;
  #running = 0;

  constructor(option: EnrollGateOption) {
    this.#option = option;
  }

  /** @throws FlotillaError `enrollment-hook-busy`, `enrollment-hook-failed`: the device may ask again */
  async ask(question: EnrollQuestion): Promise<HookAnswer> {
    const { hook, timeoutMs, maxConcurrent, clock } = this.#option;
    if (this.#running >= maxConcurrent) {
      throw new FlotillaError('undecided', 'enrollment-hook-busy', 'the approval of enrollments is behind', {
        seen: `${this.#running} questions under way`,
        suggestion: 'ask again in a minute',
      });
    }
    const controller = new AbortController();
    const cancel = clock.schedule(timeoutMs, () => controller.abort());
    this.#running += 1;
    try {
      return await hook.ask(question, controller.signal);
    } catch (cause) {
      throw new FlotillaError('undecided', 'enrollment-hook-failed', 'the approval of enrollments does not answer', {
        seen: cause instanceof Error ? cause.message : String(cause),
        suggestion: 'mend the hook; the device may ask again, its key and its token stay good',
        cause,
      });
    } finally {
      cancel();
      this.#running -= 1;
    }
  }
}
