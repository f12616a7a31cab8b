import { execa } from 'execa';
import { hookFailure, maxAnswerBytes, readAnswer, type Hook } from './connect-hook.ts';

/**
 * Runs a program for each question: the document on its stdin, the answer on its stdout. By argv, without a shell, with
 * nothing of our environment but PATH, in a process group of its own, so that nothing of it outlives its time.
 */
export function createCommandHook({
  argv,
  directory,
}: {
  argv: readonly string[];
  directory: string;
}): Hook<{ fleetId: string }> {
  const [program, ...args] = argv as [string, ...string[]];
  return {
    async ask(question, signal) {
      const child = execa(program, args, {
        input: `${JSON.stringify(question)}\n`,
        cwd: directory,
        extendEnv: false,
        env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', FLOTILLA_FLEET: question.fleetId },
        maxBuffer: maxAnswerBytes,
        detached: true,
        reject: false,
      });
      const end = (): void => killGroup(child.pid);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      const aborted = new Promise<'aborted'>((resolve) =>
        signal.addEventListener('abort', () => resolve('aborted'), { once: true }),
      );
      // A grandchild that keeps the pipe open must not keep the device waiting.
      const result = await Promise.race([child, aborted]);
      signal.removeEventListener('abort', end);
      if (result === 'aborted') throw hookFailure('it took too long');
      end(); // what it has left behind
      if (result.isMaxBuffer) throw hookFailure(`it said more than ${maxAnswerBytes} bytes`);
      if (result.exitCode === undefined)
        throw hookFailure(`it could not be run: ${result.code ?? result.signal ?? '?'}`);
      if (result.exitCode !== 0) throw hookFailure(`exit code ${result.exitCode}${lastLine(result.stderr)}`);
      return readAnswer(result.stdout);
    },
  };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

function lastLine(stderr: string): string {
  const line = stderr.trimEnd().split('\n').at(-1) ?? '';
  return line === '' ? '' : `: ${line.slice(0, 120)}`;
}
