/**
 * Attempts that were refused, as rows of the audit log. Whoever is refused can ask again as fast as a network goes, so
 * what is the same within a minute is counted and told once, and all of it together is bounded: at most some twenty
 * rows a minute, however many ask.
 */
import type { AuditResult } from '../../audit/index.ts';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Core } from '../core/core.ts';
import type { Turn } from '../core/turn.ts';
import { writeAudit, type Actor } from './write-audit.ts';

export interface Refusal extends Actor {
  /** The route, as it stands in the list: `POST /v1/devices/tag`. */
  action: string;
  subject: string;
  result: Exclude<AuditResult, 'ok'>;
  code: string;
  /** One sentence; never what was sent. */
  message: string;
}

interface Seen {
  refusal: Refusal;
  /** Since the row that told of the first. */
  more: number;
}

const windowMs = 60_000;
/** New kinds of refusals that are told at once. */
const burst = 100;
const refillPerWindow = 10;
const maxNamedActors = 8;

export class RefusalLog {
  readonly #core: Pick<Core, 'submit'>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #seen = new Map<string, Seen>();
  #left = burst;
  #others = 0;
  readonly #otherActors = new Set<string>();
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor({ core, clock, log }: { core: Pick<Core, 'submit'>; clock: Clock; log: Log }) {
    this.#core = core;
    this.#clock = clock;
    this.#log = log;
  }

  note(refusal: Refusal): void {
    const { actor, from, action, result, code } = refusal;
    const key = JSON.stringify([actor, from, action, result, code]);
    const known = this.#seen.get(key);
    if (known !== undefined) known.more += 1;
    else if (this.#left > 0) {
      this.#left -= 1;
      this.#seen.set(key, { refusal, more: 0 });
      void this.#write((turn) => tell(turn, refusal, {}));
    } else {
      this.#others += 1;
      if (this.#otherActors.size < maxNamedActors) this.#otherActors.add(actor);
    }
    this.#cancel ??= this.#clock.schedule(windowMs, () => void this.#flush());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    this.#cancel = undefined;
    const repeated = [...this.#seen.values()].filter(({ more }) => more > 0);
    const others = this.#others;
    const actors = [...this.#otherActors];
    this.#seen.clear();
    this.#others = 0;
    this.#otherActors.clear();
    this.#left = Math.min(burst, this.#left + refillPerWindow);
    // Armed while anything is owed, so that the allowance grows back.
    if (this.#left < burst && !this.#stopped) this.#cancel = this.#clock.schedule(windowMs, () => void this.#flush());
    if (repeated.length === 0 && others === 0) return;
    await this.#write((turn) => {
      for (const { refusal, more } of repeated) tell(turn, refusal, { more });
      if (others > 0) {
        writeAudit(
          turn,
          { actor: '*', role: '', from: '*' },
          { action: 'refused.others', subject: '', result: 'refused', detail: { attempts: others, actors } },
        );
      }
    });
  }

  #write(input: (turn: Turn) => void): Promise<void> {
    return this.#core
      .submit(input)
      .catch((error: unknown) => this.#log.error({ err: error }, 'a refusal could not be audited'));
  }
}

function tell(
  turn: Turn,
  { action, subject, result, code, message, ...actor }: Refusal,
  more: { more?: number },
): void {
  writeAudit(turn, actor, { action, subject, result, code, detail: { message, ...more } });
}
