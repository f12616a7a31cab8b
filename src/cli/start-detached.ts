import { mkdir, open, readFile, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { type ErrorDocument, FlotillaError, systemErrorCode } from '../error.ts';
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
  recoveryPort?: number;
  socket: string;
}

/**
 * Starts the coordinator in its own session and waits for its ready line in the log. When it ends before that, throws
 * the error that it has printed.
 */
export async function startDetached({ entry, logPath, timeoutMs }: DetachedOption): Promise<ReadyLine> {
  const log = await openLog(logPath);
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
      if (ended !== 'running') throw lastError(lines) ?? (await silentEnd(ended, logPath));
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

async function silentEnd(exitCode: number | undefined, logPath: string): Promise<FlotillaError> {
  if ((await statfs(logPath)).bavail === 0) {
    return new FlotillaError('failed', 'disk-full', 'the coordinator could not start: its disk is full', {
      seen: `no room in ${dirname(logPath)}`,
      suggestion: 'free some space and start it again; nothing was changed',
    });
  }
  return new FlotillaError('failed', 'coordinator-not-started', 'the coordinator ended while it started', {
    seen: exitCode === undefined ? 'ended by a signal' : `exit code ${exitCode}`,
    suggestion: `look into ${logPath}`,
  });
}

async function openLog(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return await open(path, 'a', 0o600);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === 'ENOSPC') throw cause;
    throw new FlotillaError('usage', 'log-unwritable', `${path} can't be written`, {
      seen: code ?? String(cause),
      suggestion: 'run as the user that owns the fleet, or mend the owner and mode of its run folder',
      cause,
    });
  }
}
