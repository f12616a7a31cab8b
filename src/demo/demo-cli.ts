/** The real CLI, as a user types it: every command of the demo is one process, with --json, and is written down. */
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { FlotillaError } from '../error.ts';
import { launcherPath } from '../board/index.ts';

export interface Typed {
  /** As a user would type it, without --json. */
  text: string;
  atMs: number;
  exitCode: number;
  durationMs: number;
}

const limitMs = 60_000;

/** What every process that these commands start has in its environment: the coordinator too. */
export const demoMark = (fleetDir: string) => ({ name: 'FLOTILLA_FLEET_DIR', value: fleetDir });

export class DemoCli {
  readonly typed: Typed[] = [];
  readonly #fleetDir: string;
  readonly #signal: AbortSignal;

  constructor(fleetDir: string, signal: AbortSignal) {
    this.#fleetDir = fleetDir;
    this.#signal = signal;
  }

  /** Runs a command whose --json output is one document. Throws when it exits with none of `accept`. */
  async run<T>(args: string[], { accept = [0] }: { accept?: number[] } = {}): Promise<T> {
    const rows = await this.rows(args, accept);
    if (rows.length !== 1) throw unexpected(args, `${rows.length} documents on stdout`, 'one');
    return rows[0] as T;
  }

  /** Runs a command whose --json output is NDJSON. */
  async rows(args: string[], accept: number[] = [0]): Promise<unknown[]> {
    const atMs = Date.now();
    const ran = await execa(process.execPath, this.#arguments(args), { ...this.#option(), timeout: limitMs });
    this.#signal.throwIfAborted();
    const exitCode = ran.exitCode ?? -1;
    this.#note(args, atMs, exitCode);
    if (!accept.includes(exitCode)) {
      const said = `${ran.stdout}${ran.stderr}`.trim().slice(-2000);
      throw unexpected(args, `exit code ${exitCode}: ${said}`, `exit code ${accept.join(' or ')}`);
    }
    return parseRows(ran.stdout);
  }

  /** Runs a command that streams NDJSON, row by row as it comes; resolves to its exit code. */
  async follow(args: string[], onRow: (row: unknown) => void): Promise<number> {
    const atMs = Date.now();
    const child = execa(process.execPath, this.#arguments(args), {
      ...this.#option(),
      buffer: false,
      stderr: 'ignore',
    });
    for await (const line of createInterface({ input: child.stdout })) {
      if (line !== '') onRow(JSON.parse(line));
    }
    const { exitCode } = await child;
    this.#note(args, atMs, exitCode ?? -1);
    return exitCode ?? -1;
  }

  #arguments(args: readonly string[]): string[] {
    const end = args.indexOf('--');
    const [own, rest] = end < 0 ? [args, []] : [args.slice(0, end), args.slice(end)];
    return [launcherPath(), ...own, '--json', ...rest];
  }

  #option() {
    return {
      reject: false,
      stdin: 'ignore',
      cancelSignal: this.#signal,
      killSignal: 'SIGKILL',
      env: { [demoMark(this.#fleetDir).name]: this.#fleetDir, NO_COLOR: '1' },
    } as const;
  }

  #note(args: string[], atMs: number, exitCode: number): void {
    this.typed.push({ text: commandText(args), atMs, exitCode, durationMs: Date.now() - atMs });
  }
}

/** One line for a POSIX shell. */
export function commandText(args: readonly string[]): string {
  const quoted = args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`));
  return ['flotilla', ...quoted].join(' ');
}

function parseRows(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

function unexpected(args: readonly string[], seen: string, expected: string): FlotillaError {
  return new FlotillaError('failed', 'demo-command', commandText(args), { seen, expected });
}
