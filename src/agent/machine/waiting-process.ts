/** A process that is there before its command comes, because to fork the agent takes longer than many a command. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Clock } from '../../clock.ts';
import { execLine, quoted, type ExecLine } from './exec-line.ts';
import { ProgramSearch } from './program-search.ts';

/** A child process whose output is read. */
export type Leader = ChildProcess & { stdout: Socket; stderr: Socket };
type Shell = Leader & { stdin: Socket };

export interface WaitingProcessOption {
  clock: Clock;
  /** Absent: `/bin/sh`. */
  shell?: string;
}

/** Since a command has begun or ended: the fork is in the way neither of the next one nor of a result. */
const quietMs = 1_000;
/** A longer line is no burden that the pipe should bear: its command is started directly. */
const maxLineBytes = 16_384;
/** What `ps` shows, and what its own words begin with. The last part makes every kind of shell be `sh`. */
export const shellName = '/flotilla/waiting/sh';
const triedName = '/flotilla/tried/sh';

/** What a shell adds to the environment, or changes in it. */
const ownNames = ['PWD', 'OLDPWD', 'SHLVL', '_'] as const;
/** In bash `exec` makes a new SHLVL, but not of an array, which no environment can hold. */
const dialects = ['', 'declare -a SHLVL; '] as const;

/**
 * Keeps one shell, once there has been a command, that waits for the line that makes it the next: by `exec`, so that its
 * pid, its group, its pipes and its end are the command's. It ends with its stdin: with the agent, however that ends.
 */
export class WaitingProcess {
  readonly #clock: Clock;
  readonly #file: string;
  readonly #programs = new ProgramSearch();
  #shell: Shell | undefined;
  /** What is written before a command; it resolves with undefined where no shell passes a command on as it is. */
  #preamble: Promise<string | undefined> | undefined;
  #cancelTimer: () => void = () => undefined;
  #stopped = false;

  constructor({ clock, shell = '/bin/sh' }: WaitingProcessOption) {
    this.#clock = clock;
    this.#file = shell;
  }

  /** One is there when it has been quiet for a while. */
  prepareSoon(): void {
    this.#cancelTimer();
    if (!this.#stopped) this.#cancelTimer = this.#clock.schedule(quietMs, () => void this.prepare());
  }

  /** One is there, where this machine can have one. */
  async prepare(): Promise<void> {
    this.#preamble ??= findPreamble(this.#file);
    try {
      const preamble = await this.#preamble;
      if (preamble !== undefined && !this.#stopped && this.#shell === undefined) this.#start(preamble);
    } catch {
      this.#preamble = undefined; // no memory or no descriptor for a process: after the next command it is tried again
    }
  }

  #start(preamble: string): void {
    const shell = startShell(this.#file, shellName);
    if (shell === undefined) return;
    this.#shell = shell;
    shell.once('exit', () => {
      if (this.#shell === shell) this.#shell = undefined;
    });
    for (const part of [shell, shell.stdin, shell.stdout, shell.stderr]) part.unref();
    shell.stdin.write(preamble);
  }

  /** What has become the program; undefined: it was not begun, and is to be started directly. */
  async take(command: ExecLine): Promise<Leader | undefined> {
    this.prepareSoon();
    const shell = this.#shell;
    if (shell === undefined) return undefined;
    const path = command.environment['PATH'] ?? process.env['PATH'];
    if (path === undefined || !this.#programs.finds(command.file, path)) return undefined; // the system says why not
    const line = execLine(command);
    if (line === undefined || Buffer.byteLength(line) > maxLineBytes) return undefined;
    this.#shell = undefined;
    for (const part of [shell, shell.stdout, shell.stderr]) part.ref();
    if (await tell(shell, line)) return shell;
    shell.kill('SIGKILL');
    return undefined;
  }

  /** It ends, and no other comes. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    this.#shell?.stdin.destroy();
  }
}

/** The shell's own words about a program that was there and could not be begun: an interpreter is missing, say. */
export function shellRefusal(exitCode: number | null, stderr: string): string | undefined {
  if ((exitCode !== 126 && exitCode !== 127) || !stderr.startsWith(`${shellName}: `)) return undefined;
  return /^(?:line )?(?:\d+: )?(?:exec: )?(.*)/.exec(stderr.slice(shellName.length + 2))?.[1];
}

/** Undefined: it could not be started. Throws when that may be another time. */
function startShell(file: string, argv0: string): Shell | undefined {
  const shell = spawn(file, [], { argv0, detached: true, stdio: 'pipe' }) as Shell;
  shell.on('error', () => undefined); // that, or a signal that came too late
  if (shell.pid === undefined) return undefined;
  shell.stdin.on('error', () => undefined); // told to who writes
  return shell;
}

/** False: it has got nothing that it could have taken for a command. */
async function tell(shell: Shell, line: string): Promise<boolean> {
  const error = await new Promise((resolve) => void shell.stdin.write(line, resolve));
  shell.stdin.destroy();
  return error === null || error === undefined;
}

/** Tries what environment a program gets through this shell: exactly what it would get without, or the shell is no use. */
async function findPreamble(file: string): Promise<string | undefined> {
  const environment = { FLOTILLA_JOB_ID: "one 'of' none" };
  const wanted = Object.entries({ ...process.env, ...environment }).map(([name, value]) => `${name}=${value}`);
  const line = execLine({ file: 'cat', args: ['/proc/self/environ'], environment })!;
  for (const dialect of dialects) {
    const preamble = `${ownNames.map(restored).join('')}${dialect}\n`;
    const shell = startShell(file, triedName);
    if (shell === undefined) return undefined;
    const [stdout, stderr] = [text(shell.stdout), text(shell.stderr)];
    const ended = once(shell, 'close');
    await tell(shell, preamble + line);
    await ended;
    const seen = (await stdout).split('\0').slice(0, -1);
    if ((await stderr) === '' && seen.toSorted().join('\0') === wanted.toSorted().join('\0')) return preamble;
  }
  return undefined;
}

function restored(name: string): string {
  const value = process.env[name];
  return value === undefined ? `unset ${name}; ` : `export ${name}=${quoted(value)}; `;
}
