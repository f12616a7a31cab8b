import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { Connect, ConnectionId } from '../gateway/port.ts';
import type { ConnectHook, ConnectQuestion, HookVerdict } from './connect-hook.ts';

export interface ConnectGateOption {
  hook: ConnectHook;
  timeoutMs: number;
  maxConcurrent: number;
  /** How long a decision holds for the same certificate; 0: it is asked every time. */
  cacheMs: number;
  clock: Clock;
  log: Log;
  /** Uniform in [0, 1). */
  random: () => number;
}

export interface GateState {
  asking: number;
  waiting: number;
  /** Since the start of the coordinator. */
  allowed: number;
  denied: number;
  quarantined: number;
  failed: number;
  lastFailure?: { reason: string; atMs: number };
}

interface Waiting {
  connection: ConnectionId;
  question: ConnectQuestion;
  sinceMs: number;
  decide(verdict: HookVerdict): void;
}

/** A device gives HELLO up after 20 s: what can't be answered before that is better sent away with a time to come back. */
const answerWithinMs = 15_000;
const retryMinSeconds = 5;
const maxCached = 100_000;

/**
 * Asks the application about connects, so many at a time, while the core goes on with everybody else. Whoever can't be
 * answered in time, or at all, is sent away to come back: no answer is a no.
 */
export class ConnectGate {
  readonly #option: ConnectGateOption;
  /** Connections that are not decided on and have not ended. */
  readonly #open = new Set<ConnectionId>();
  readonly #queue: Waiting[] = [];
  readonly #running = new Set<AbortController>();
  readonly #cache = new Map<string, { verdict: HookVerdict; untilMs: number }>();
  readonly #counts = { allowed: 0, denied: 0, quarantined: 0, failed: 0 };
  #lastFailure: GateState['lastFailure'];
  #cancelSweep: (() => void) | undefined;
  #stopped = false;

  constructor(option: ConnectGateOption) {
    this.#option = option;
  }

  /** It has said HELLO. Its end may come before anything that is decided about it. */
  opened({ connection }: Connect): void {
    this.#open.add(connection);
  }

  ended(connection: ConnectionId): void {
    this.#open.delete(connection);
  }

  /** `decide` is called once, later, unless the connection ends before. */
  ask(connection: ConnectionId, question: ConnectQuestion, decide: (verdict: HookVerdict) => void): void {
    const nowMs = this.#option.clock.monotonicMs();
    const known = this.#cache.get(keyOf(question));
    if (known !== undefined && nowMs < known.untilMs) {
      this.#tell({ connection, question, sinceMs: nowMs, decide }, known.verdict);
      return;
    }
    this.#queue.push({ connection, question, sinceMs: nowMs, decide });
    this.#fill();
    this.#sweep();
  }

  state(): GateState {
    const { allowed, denied, quarantined, failed } = this.#counts;
    return {
      asking: this.#running.size,
      waiting: this.#queue.length,
      allowed,
      denied,
      quarantined,
      failed,
      ...(this.#lastFailure === undefined ? {} : { lastFailure: this.#lastFailure }),
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelSweep?.();
    this.#queue.length = 0;
    for (const controller of this.#running) controller.abort();
  }

  #fill(): void {
    while (!this.#stopped && this.#running.size < this.#option.maxConcurrent) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      if (this.#open.has(next.connection)) void this.#run(next);
    }
  }

  async #run(waiting: Waiting): Promise<void> {
    const { hook, timeoutMs, clock } = this.#option;
    const controller = new AbortController();
    this.#running.add(controller);
    const cancel = clock.schedule(timeoutMs, () => controller.abort());
    try {
      const verdict = await hook.ask(waiting.question, controller.signal);
      this.#remember(waiting.question, verdict);
      this.#tell(waiting, verdict);
    } catch (error) {
      this.#fail(waiting, `the connect hook failed: ${reasonOf(error)}`);
    } finally {
      cancel();
      this.#running.delete(controller);
      this.#fill();
    }
  }

  /** Those that will not get their turn in time. */
  #sweep(): void {
    if (this.#cancelSweep !== undefined || this.#queue.length === 0) return;
    const { clock, timeoutMs } = this.#option;
    const patienceMs = Math.max(0, answerWithinMs - timeoutMs);
    const first = this.#queue[0]!;
    const waitMs = Math.max(0, first.sinceMs + patienceMs - clock.monotonicMs());
    this.#cancelSweep = clock.schedule(waitMs, () => {
      this.#cancelSweep = undefined;
      const beforeMs = clock.monotonicMs() - patienceMs;
      while (this.#queue[0] !== undefined && this.#queue[0].sinceMs <= beforeMs) {
        this.#fail(this.#queue.shift()!, 'the connect hook is behind');
      }
      this.#sweep();
    });
  }

  #fail(waiting: Waiting, reason: string): void {
    if (this.#stopped) return;
    const { clock, log, random } = this.#option;
    this.#lastFailure = { reason, atMs: clock.nowMs() };
    log.warn({ device: waiting.question.deviceId, reason }, 'the application did not say yes');
    // Spread: whoever was sent away together would come back together.
    this.#tell(waiting, { decision: 'failed', reason, retryAfterSeconds: retryMinSeconds * (1 + 2 * random()) });
  }

  #tell({ connection, decide }: Waiting, verdict: HookVerdict): void {
    if (this.#stopped || !this.#open.delete(connection)) return;
    this.#counts[countNames[verdict.decision]] += 1;
    decide(verdict);
  }

  #remember(question: ConnectQuestion, verdict: HookVerdict): void {
    const { cacheMs, clock } = this.#option;
    if (cacheMs === 0) return;
    const key = keyOf(question);
    this.#cache.delete(key);
    this.#cache.set(key, { verdict, untilMs: clock.monotonicMs() + cacheMs });
    if (this.#cache.size > maxCached) this.#cache.delete(this.#cache.keys().next().value!);
  }
}

const countNames = { allow: 'allowed', deny: 'denied', quarantine: 'quarantined', failed: 'failed' } as const;

function keyOf({ deviceId, serial, state }: ConnectQuestion): string {
  return `${deviceId} ${serial} ${state}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof FlotillaError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
