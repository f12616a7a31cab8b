import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { writeText } from '../write-line.ts';

/** What a handler says of an event that it was given. */
export interface Answer {
  offset: number;
  ok: boolean;
  error: string;
  retry: boolean;
}

export interface HandlerEvents {
  answer(answer: Answer): void;
  /** A line on its stdout that is no answer. */
  noise(line: string): void;
  /** Once; `how` says how it ended, for a person. */
  ended(how: string): void;
}

const keptStderrChars = 4_000;
const maxNoiseChars = 200;

/**
 * The product's program, which takes events as lines of JSON on stdin and answers each with a line on stdout. It has a
 * process group of its own: a Ctrl-C is for us, who then let it finish.
 */
export class HandlerProcess {
  readonly #child;
  readonly #stdin;
  #stderr = '';
  #hasEnded = false;

  constructor(argv: readonly string[], events: HandlerEvents) {
    const [command, ...args] = argv as [string, ...string[]];
    const child = execa(command, args, {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: false,
      reject: false,
      detached: true,
    });
    this.#child = child;
    this.#stdin = child.stdin;
    // A handler that is gone is told by `ended`; the broken pipe adds nothing.
    child.stdin.on('error', () => undefined);
    child.stderr.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk);
      this.#stderr = (this.#stderr + chunk.toString()).slice(-keptStderrChars);
    });
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const answer = parseAnswer(line);
      if (answer === undefined) events.noise(line.slice(0, maxNoiseChars));
      else events.answer(answer);
    });
    const read = new Promise<void>((resolve) => lines.once('close', resolve));
    void this.#await(read, events);
  }

  async #await(read: Promise<void>, events: HandlerEvents): Promise<void> {
    const child = this.#child;
    const { exitCode, signal, cause } = await child;
    await read; // its last answers
    this.#hasEnded = true;
    if (child.pid === undefined) events.ended(systemErrorCode(cause) ?? 'it could not be started');
    else events.ended(signal === undefined ? `it ended with exit code ${exitCode}` : `it was ended by ${signal}`);
  }

  /** Undefined: it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The last that it has written on stderr. */
  get stderr(): string {
    return this.#stderr;
  }

  async give(event: unknown): Promise<void> {
    if (this.#hasEnded || this.#stdin.destroyed) return;
    const ended = this.#child.then(() => undefined);
    await Promise.race([writeText(this.#stdin, `${JSON.stringify(event)}\n`).catch(() => undefined), ended]);
  }

  /** It may finish what it has; it is expected to end when its input does. */
  finish(): void {
    this.#stdin.end();
  }

  /** With everything that it has started. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#hasEnded) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
  }
}

function parseAnswer(line: string): Answer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { offset, ok, error, retry } = value as Record<string, unknown>;
  if (typeof offset !== 'number' || typeof ok !== 'boolean') return undefined;
  return { offset, ok, error: typeof error === 'string' ? error : '', retry: retry !== false };
}

export function notStarted(argv: readonly string[], how: string): FlotillaError {
  return new FlotillaError('usage', 'handler-not-started', `the handler can't be started: ${argv[0]}`, {
    seen: how,
    suggestion: 'give the path of a program that may be run, after --',
  });
}
