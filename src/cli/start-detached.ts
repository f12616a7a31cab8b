import { open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { CoordinatorStatus } from '../client/contract/index.ts';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { FlotillaError } from '../error.ts';
import type { EntryPoint } from './entry-point.ts';
import { faultOfExitCode } from './exit-code.ts';

const pollMs = 50;

export interface DetachedOption {
  entry: EntryPoint;
  /** Gets stdout and stderr; made with mode 0600, appended to. */
  logPath: string;
  client: Pick<CoordinatorClient, 'status'>;
  timeoutMs: number;
}

/**
 * Starts the coordinator in its own session and waits until its API answers as that very process. When it ends before
 * that, throws with the coordinator's own words.
 */
export async function startDetached({ entry, logPath, client, timeoutMs }: DetachedOption): Promise<CoordinatorStatus> {
  const log = await open(logPath, 'a', 0o600);
  const logStart = (await log.stat()).size;
  const child = execa(process.execPath, entry.argv, {
    env: entry.env,
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    stdin: 'ignore',
    stdout: log.fd as never,
    stderr: log.fd as never,
  });
  let exited = false;
  void child.then(() => (exited = true));
  try {
    if (child.pid === undefined) await child;
    const end = performance.now() + timeoutMs;
    while (performance.now() < end) {
      if (exited) throw await ownWords(logPath, logStart, (await child).exitCode);
      const status = await client.status().catch(() => undefined);
      if (status !== undefined && status.pid === child.pid) return status;
      await delay(pollMs);
    }
    throw new FlotillaError('failed', 'coordinator-slow', 'the coordinator has not answered yet', {
      seen: `pid ${child.pid} runs for ${Math.round(timeoutMs / 1000)} s and its API does not answer`,
      suggestion: `look into ${logPath}; it may still come up`,
    });
  } finally {
    child.nodeChildProcess.unref();
    await log.close();
  }
}

/** What a coordinator that ended wrote on stderr, apart from its log lines (JSON). */
async function ownWords(logPath: string, logStart: number, exitCode: number | undefined): Promise<FlotillaError> {
  const text = (await readFile(logPath)).subarray(logStart).toString();
  const words = text.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  const message = words[0]?.replace(/^Error: /, '') ?? `the coordinator ended with exit code ${exitCode}`;
  return new FlotillaError(faultOfExitCode(exitCode), 'coordinator-not-started', message, {
    ...(words.length > 1 ? { excerpt: words.slice(1).join('\n') } : {}),
    suggestion: `more may stand in ${logPath}`,
  });
}
