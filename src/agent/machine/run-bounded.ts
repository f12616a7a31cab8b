/** A child process in its own process group, with a bound on its time and on the output that is kept. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { shellRefusal, type Leader, type WaitingProcess } from './waiting-process.ts';

export interface BoundedCommand {
  argv: readonly string[];
  /** One string for /bin/sh instead of an argument vector. */
  shell?: boolean;
  timeoutMs: number;
  /** Kept of stdout, and of stderr as well. */
  maxOutputBytes: number;
  /** Told of all that is written, also of what is not kept. */
  onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  /** Ends the whole group when it fires. */
  signal?: AbortSignal;
  environment?: Record<string, string>;
  directory?: string;
  /** From SIGTERM to SIGKILL. */
  graceMs?: number;
  /** Becomes the command, if it can. */
  waiting?: WaitingProcess;
}

export interface BoundedResult {
  /** Why it ended: by itself, past its time, by the signal, or it could not be started. */
  end: 'exited' | 'timed-out' | 'aborted' | 'not-started';
  exitCode?: number;
  signal?: string;
  stdout: string;
  stderr: string;
  /** Output bytes that were not kept. */
  truncatedBytes: number;
  /** With `not-started`: the system's words. */
  message?: string;
  durationMs: number;
}

/** How long the pipes may stay open after the leader has ended, when a stray child holds them. */
const pipeGraceMs = 500;

/** Never throws for what the command does. When it ends, nothing of its process group is left running. */
export async function runBounded(command: BoundedCommand): Promise<BoundedResult> {
  const { timeoutMs, maxOutputBytes, signal, graceMs = 2_000, onOutput, waiting } = command;
  const startedMs = performance.now();
  const stdout = new CappedOutput(maxOutputBytes);
  const stderr = new CappedOutput(maxOutputBytes);
  const finish = (result: Pick<BoundedResult, 'end' | 'exitCode' | 'signal' | 'message'>): BoundedResult => ({
    ...result,
    stdout: stdout.text(),
    stderr: stderr.text(),
    truncatedBytes: stdout.droppedBytes + stderr.droppedBytes,
    durationMs: Math.round(performance.now() - startedMs),
  });
  if (signal?.aborted) return finish({ end: 'aborted' });

  const taken = await take(command);
  let leader: Leader;
  try {
    leader = taken ?? start(command);
  } catch (error) {
    return finish({ end: 'not-started', message: textOf(error) });
  }
  const { pid } = leader;
  if (pid === undefined) {
    const [error] = (await once(leader, 'error')) as [unknown];
    return finish({ end: 'not-started', message: textOf(error) });
  }
  leader.on('error', () => undefined); // a signal that came too late
  leader.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk);
    onOutput?.('stdout', chunk);
  });
  leader.stderr.on('data', (chunk: Buffer) => {
    stderr.push(chunk);
    onOutput?.('stderr', chunk);
  });

  let end: 'exited' | 'timed-out' | 'aborted' = 'exited';
  let force: NodeJS.Timeout | undefined;
  const stop = (why: 'timed-out' | 'aborted') => {
    if (end !== 'exited') return;
    end = why;
    killGroup(pid, 'SIGTERM');
    force = setTimeout(() => killGroup(pid, 'SIGKILL'), graceMs);
  };
  const abort = () => stop('aborted');
  const timer = setTimeout(() => stop('timed-out'), Math.min(timeoutMs, 2_147_483_647));
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort(); // while it was being taken
  try {
    const [exitCode, signalName] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      leader.once('exit', (code, name) => resolve([code, name]));
    });
    killGroup(pid, 'SIGKILL'); // what the leader left behind would escape every limit
    await closed(leader);
    const refusal = taken === undefined ? undefined : shellRefusal(exitCode, stderr.text());
    if (refusal !== undefined) return { ...finish({ end: 'not-started', message: refusal }), stderr: '' };
    return finish({
      end,
      ...(exitCode === null ? {} : { exitCode }),
      ...(signalName === null ? {} : { signal: signalName }),
    });
  } finally {
    clearTimeout(timer);
    clearTimeout(force);
    waiting?.prepareSoon();
    signal?.removeEventListener('abort', abort);
  }
}

function programOf({ argv, shell = false }: BoundedCommand): { file: string; args: readonly string[] } {
  if (shell) return { file: '/bin/sh', args: ['-c', argv.join(' ')] };
  const [file = '', ...args] = argv;
  return { file, args };
}

async function take({ waiting, environment = {}, directory, ...command }: BoundedCommand): Promise<Leader | undefined> {
  return directory === undefined ? waiting?.take({ ...programOf(command), environment }) : undefined;
}

/** Without a library around it: that took 1.0 ms more, as much as all else of a start. Throws for some of what is wrong. */
function start({ environment, directory, ...command }: BoundedCommand): Leader {
  const { file, args } = programOf(command);
  return spawn(file, args, {
    detached: true, // its own process group
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(environment === undefined ? {} : { env: { ...process.env, ...environment } }),
    ...(directory === undefined ? {} : { cwd: directory }),
  }) as ChildProcess as Leader;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function killGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // ESRCH: nobody of the group is left.
  }
}

/** Waits for the pipes, but not for a process that left the group and keeps them open. */
async function closed(child: Leader): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, pipeGraceMs);
  });
  const done = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  const open = [child.stdout, child.stderr].some((pipe) => !pipe.closed);
  if (open) await Promise.race([done, late]);
  clearTimeout(timer);
  child.stdout.destroy();
  child.stderr.destroy();
}

class CappedOutput {
  droppedBytes = 0;
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #keptBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): void {
    const kept = chunk.subarray(0, this.#maxBytes - this.#keptBytes);
    if (kept.length > 0) this.#chunks.push(kept);
    this.#keptBytes += kept.length;
    this.droppedBytes += chunk.length - kept.length;
  }

  /** UTF-8; invalid bytes become U+FFFD. */
  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
