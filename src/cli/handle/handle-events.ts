import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumerQuery, CoordinatorClient, HandlerRow, Settlement } from '../../client/index.ts';
import { FlotillaError } from '../../error.ts';
import { newSession } from '../consume-events.ts';
import { HandlerProcess, notStarted, type Answer } from './handler-process.ts';

type Client = Pick<CoordinatorClient, 'streamHandler' | 'settle'>;
type EventRow = Extract<HandlerRow, { kind: 'event' }>;

/** What is worth telling. */
export type HandlerNote =
  | { kind: 'handled'; offset: number; events: number }
  | { kind: 'failed' | 'crashed'; offset: number; error: string; attempt: number }
  | { kind: 'dead-letter'; offset: number; letter: number; reason: string }
  | { kind: 'noise'; line: string }
  | { kind: 'away'; error: string }
  | { kind: 'caught-up'; offset: number };

export interface HandleOption {
  client: Client;
  name: string;
  query: Omit<ConsumerQuery, 'session'>;
  argv: readonly string[];
  /** How long the handler may take for one event. */
  timeoutMs: number;
  note(note: HandlerNote): void;
  signal: AbortSignal;
}

const retryMs = 1_000;
const maxResults = 1_000;
/** What a handler may still take when we are asked to leave. */
const finishMs = 5_000;

/** Runs the handler on what the coordinator gives until it is caught up (with `once`), or for ever. */
export async function handleEvents(option: HandleOption): Promise<void> {
  await new Handling(option).run();
}

class Handling {
  readonly #option: HandleOption;
  readonly #waiting = new Map<number, EventRow>();
  readonly #results: Settlement[] = [];
  #session = '';
  #child: HandlerProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timedOut = false;
  #failure: unknown;
  #posting: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #stream = new AbortController();

  constructor(option: HandleOption) {
    this.#option = option;
  }

  async run(): Promise<void> {
    const { signal } = this.#option;
    const leave = (): void => this.#stream.abort();
    signal.addEventListener('abort', leave, { once: true });
    try {
      while (!signal.aborted && !(await this.#follow()))
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
    } finally {
      signal.removeEventListener('abort', leave);
      await this.#end();
    }
  }

  /** One stream; true when it has come to its end. */
  async #follow(): Promise<boolean> {
    const { client, name, query, note, signal } = this.#option;
    this.#session = newSession();
    this.#stream = new AbortController();
    if (signal.aborted) return false;
    let caughtUp = false;
    try {
      for await (const row of client.streamHandler(name, { ...query, session: this.#session }, this.#stream.signal)) {
        if (row.kind === 'event') await this.#give(row);
        else note(row);
        if (row.kind === 'caught-up') caughtUp = true;
        if (this.#failure !== undefined) throw this.#failure;
      }
    } catch (error) {
      if (!(error instanceof FlotillaError) || error.fault !== 'unreachable') throw error;
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (caughtUp || signal.aborted) return true;
    note({ kind: 'away', error: 'the coordinator does not answer; what the handler has is finished first' });
    // What was given must be answered before it could be given again.
    await this.#answered();
    await this.#posted();
    return false;
  }

  async #give(row: EventRow): Promise<void> {
    const { argv } = this.#option;
    const { event, attempt, letter } = row;
    this.#waiting.set(event.offset, row);
    if (this.#waiting.size === 1) this.#watch();
    this.#child ??= this.#start(argv);
    await this.#child.give({ ...event, attempt, ...(letter === undefined ? {} : { letter }) });
  }

  #start(argv: readonly string[]): HandlerProcess {
    const child: HandlerProcess = new HandlerProcess(argv, {
      answer: (answer) => this.#take(answer),
      noise: (line) => this.#option.note({ kind: 'noise', line }),
      ended: (how) => {
        if (this.#child === child) this.#child = undefined;
        this.#lose(child, how);
      },
    });
    return child;
  }

  #take({ offset, ok, error, retry }: Answer): void {
    const row = this.#waiting.get(offset);
    if (row === undefined) return; // answered before, or never asked
    this.#waiting.delete(offset);
    const place = placeOf(row);
    if (ok) this.#results.push({ kind: 'done', ...place });
    else {
      this.#results.push({ kind: 'failed', ...place, error: error.slice(0, maxErrorChars), retry });
      this.#option.note({ kind: 'failed', offset, error, attempt: row.attempt });
    }
    this.#watch();
    this.#post();
  }

  /** It has ended: the first event that it has not answered is what it ended with, the others were not begun. */
  #lose(child: HandlerProcess, how: string): void {
    const { argv, timeoutMs, note, signal } = this.#option;
    const [first, ...others] = this.#waiting.values();
    this.#waiting.clear();
    this.#watch();
    const error = this.#timedOut ? `no answer in ${timeoutMs / 1000} s` : how;
    this.#timedOut = false;
    if (child.pid === undefined) this.#failure = notStarted(argv, how);
    if (first !== undefined) {
      const isOurs = child.pid === undefined || signal.aborted;
      const { stderr } = child;
      if (isOurs) this.#results.push({ kind: 'released', ...placeOf(first) });
      else {
        this.#results.push({ kind: 'crashed', ...placeOf(first), error, ...(stderr === '' ? {} : { stderr }) });
        note({ kind: 'crashed', offset: first.event.offset, error, attempt: first.attempt });
      }
      for (const row of others) this.#results.push({ kind: 'released', ...placeOf(row) });
      this.#post();
    }
    if (this.#failure !== undefined) this.#stream.abort();
    this.#wake?.();
  }

  /** The time of the event that is first in line. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#waiting.size === 0) {
      this.#wake?.();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timedOut = true;
      this.#child?.kill();
    }, this.#option.timeoutMs);
  }

  async #answered(): Promise<void> {
    while (this.#waiting.size > 0) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #post(): void {
    this.#posting ??= this.#postAll()
      .catch((error) => {
        this.#failure ??= error;
        this.#stream.abort();
      })
      .finally(() => (this.#posting = undefined));
  }

  async #posted(): Promise<void> {
    while (this.#posting !== undefined) await this.#posting;
  }

  /** One request at a time; what the coordinator has not confirmed is told again. */
  async #postAll(): Promise<void> {
    const { client, name, note, signal } = this.#option;
    let giveUpMs = Infinity;
    while (this.#results.length > 0) {
      const results = this.#results.slice(0, maxResults);
      try {
        const { offset, dead } = await client.settle(name, { session: this.#session, results });
        this.#results.splice(0, results.length);
        const handled = results.filter(({ kind }) => kind === 'done').length;
        if (handled > 0) note({ kind: 'handled', offset, events: handled });
        for (const letter of dead) note({ kind: 'dead-letter', ...letter });
      } catch (error) {
        if (!(error instanceof FlotillaError) || error.fault !== 'unreachable') throw error;
        if (signal.aborted) giveUpMs = Math.min(giveUpMs, performance.now() + finishMs);
        if (performance.now() >= giveUpMs) throw error;
        await delay(retryMs);
      }
    }
  }

  /** The handler may finish what it has; what it does not is taken back, so that it counts for nothing. */
  async #end(): Promise<void> {
    const child = this.#child;
    if (child !== undefined) {
      child.finish();
      const term = setTimeout(() => child.kill('SIGTERM'), finishMs);
      const kill = setTimeout(() => child.kill(), finishMs * 2);
      while (!child.hasEnded) await delay(10);
      clearTimeout(term);
      clearTimeout(kill);
    }
    clearTimeout(this.#timer);
    await this.#posted();
    this.#stream.abort();
  }
}

const maxErrorChars = 4_000;

function placeOf({ event, letter }: EventRow): { offset: number; letter?: number } {
  return letter === undefined ? { offset: event.offset } : { offset: event.offset, letter };
}
