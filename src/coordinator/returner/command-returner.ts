import { execa } from 'execa';
import { NotReturned, type ReturnedResult, type Returner } from './returner.ts';

const maxErrorBytes = 65_536;

/** Runs a program for each result: the document on its stdin, by argv and without a shell; 0 means that it has it. */
export function createCommandReturner(argv: readonly string[], directory: string): Returner {
  const [program, ...args] = argv as [string, ...string[]];
  return {
    async deliver(result, signal) {
      const child = execa(program, args, {
        input: `${JSON.stringify(result)}\n`,
        cwd: directory,
        extendEnv: false,
        env: environmentOf(result),
        stdout: 'ignore',
        maxBuffer: maxErrorBytes,
        cancelSignal: signal,
        forceKillAfterDelay: 1_000,
        reject: false,
      });
      const { exitCode, isCanceled, code, signal: endedBy, stderr } = await child;
      if (exitCode === 0) return;
      const why = isCanceled ? 'it took too long' : `exit ${exitCode ?? endedBy ?? code ?? '?'}`;
      // A program that is not there has said nothing at all.
      const said: unknown = stderr;
      const last = (typeof said === 'string' ? said : '').trimEnd().split('\n').at(-1) ?? '';
      throw new NotReturned(last === '' ? why : `${why}: ${last.slice(0, 200)}`, { retry: true });
    },
  };
}

function environmentOf({ fleetId, idempotencyKey }: ReturnedResult): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    FLOTILLA_FLEET: fleetId,
    FLOTILLA_IDEMPOTENCY_KEY: idempotencyKey,
  };
}
