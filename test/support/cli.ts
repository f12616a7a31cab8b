/** Runs the real `flotilla` as a user would type it. */
import { join } from 'node:path';
import { execa } from 'execa';

export const top = join(import.meta.dirname, '..', '..');
export const launcher = join(top, 'src', 'bin', 'launcher.cjs');

export interface Ran {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** stdout as one JSON document. */
  json<T = any>(): T;
  /** stdout as NDJSON. */
  rows<T = any>(): T[];
}

export interface RunOption {
  cwd?: string;
  env?: Record<string, string>;
  timeoutMs?: number;
  input?: string;
  /** Run as this user, where the tests run as root. */
  uid?: number;
}

export async function flotilla(args: string[], option: RunOption = {}): Promise<Ran> {
  const { exitCode, stdout, stderr, signal } = await start(args, option);
  return {
    exitCode: exitCode ?? (signal ? 128 : -1),
    stdout,
    stderr,
    json: () => JSON.parse(stdout),
    rows: () =>
      stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
  };
}

/** Started, not awaited: for commands that stream or wait. */
export function start(args: string[], { cwd, env, timeoutMs = 60_000, input, uid }: RunOption = {}) {
  return execa(process.execPath, [launcher, ...args], {
    reject: false,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    stdin: input === undefined ? 'ignore' : 'pipe',
    ...(input === undefined ? {} : { input }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
    // No context of whoever runs the tests says where commands go.
    env: { NO_COLOR: '1', XDG_CONFIG_HOME: '/nonexistent', FLOTILLA_CONTEXT: '', ...env },
  });
}
