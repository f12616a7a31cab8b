import { open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { type ErrorDocument, FlotillaError } from '../error.ts';
import type { EntryPoint } from './entry-point.ts';

const pollMs = 25;

export interface DetachedOption {
  entry: EntryPoint;
  /** Gets stdout and stderr; made with mode 0600, appended to. */
  logPath: string;
  timeoutMs: number;
}

/** The line that a coordinator prints once devices and clients can reach it. */
export interface ReadyLine {
  ready: true;
  pid: number;
  port: number;
  socket: string;
}

/**
 * Starts the coordinator in its own session and waits for its ready line in the log. When it ends before that, throws
 * the error that it has printed.
 */
export async function startDetached({ entry, logPath, timeoutMs }: DetachedOption): Promise<ReadyLine> {
  const log = await open(logPath, 'a', 0o600);
  const logStart = (await log.stat()).size;
  const child = execa(process.execPath, entry.argv, {
    env: entry.env,
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    stdio: ['ignore', log.fd, log.fd] as never,
  });
  child.nodeChildProcess.unref();
  let exitCode: number | undefined | 'running' = 'running';
  void child.then((ended) => (exitCode = ended.exitCode));
  try {
    const end = performance.now() + timeoutMs;
    while (performance.now() < end) {
      // Read after the exit was seen: the last words of an ended process are in the file by then.
      const ended = exitCode;
      const lines = await documentsSince(logPath, logStart);
      const ready = lines.find((line) => line['ready'] === true && line['pid'] === child.pid);
      if (ready !== undefined) return ready as unknown as ReadyLine;
      if (ended !== 'running') throw lastError(lines) ?? silentEnd(ended, logPath);
      await delay(pollMs);
    }
  } finally {
    await log.close();
  }
  throw new FlotillaError('failed', 'coordinator-slow', 'the coordinator is not ready yet', {
    seen: `pid ${child.pid} has run for ${Math.round(timeoutMs / 1000)} s`,
    suggestion: `look into ${logPath}; it may still come up`,
  });
}

type LogLine = Record<string, unknown>;

async function documentsSince(path: string, start: number): Promise<LogLine[]> {
  const text = (await readFile(path)).subarray(start).toString();
  return text.split('\n').slice(0, -1).flatMap(parseLine);
}

/** A line that is no JSON object (a crash's stack) is left for the reader of the log. */
function parseLine(line: string): LogLine[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line) as LogLine];
  } catch {
    return [];
  }
}

function lastError(lines: LogLine[]): FlotillaError | undefined {
  const line = lines.findLast(({ error }) => typeof error === 'object' && error !== null);
  return line === undefined ? undefined : FlotillaError.fromJSON(line['error'] as ErrorDocument);
}

function silentEnd(exitCode: number | undefined, logPath: string): FlotillaError {
  return new FlotillaError('failed', 'coordinator-not-started', 'the coordinator ended while it started', {
    seen: exitCode === undefined ? 'ended by a signal' : `exit code ${exitCode}`,
    suggestion: `look into ${logPath}`,
  });
}
