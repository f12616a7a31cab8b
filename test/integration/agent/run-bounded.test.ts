import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runBounded } from '../../../src/agent/machine/run-bounded.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const bounds = { timeoutMs: 20_000, maxOutputBytes: 65_536 };

function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(
      execFileSync('cat', [`/proc/${pid}/status`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    return false;
  }
}

describe('a bounded command', () => {
  it('returns exit code and both outputs, and nothing of an argument is read by a shell', async () => {
    const result = await runBounded({ ...bounds, argv: ['printf', '%s|', 'a b', '$(id)', '*', ';'] });
    expect(result).toMatchObject({
      end: 'exited',
      exitCode: 0,
      stdout: 'a b|$(id)|*|;|',
      stderr: '',
      truncatedBytes: 0,
    });
    const failing = await runBounded({ ...bounds, argv: ['echo oops >&2; exit 7'], shell: true });
    expect(failing).toMatchObject({ end: 'exited', exitCode: 7, stdout: '', stderr: 'oops\n' });
  });

  it('says what is missing when the program does not exist', async () => {
    const result = await runBounded({ ...bounds, argv: ['no-such-program-here'] });
    expect(result.end).toBe('not-started');
    expect(result.message).toContain('ENOENT');
  });

  it('names the signal that ended it', async () => {
    expect(await runBounded({ ...bounds, argv: ['kill -KILL $$'], shell: true })).toMatchObject({
      end: 'exited',
      signal: 'SIGKILL',
    });
  });

  it('keeps the first bytes of each output and counts the rest', async () => {
    const result = await runBounded({
      ...bounds,
      argv: ['head -c 100000 /dev/zero; echo err >&2'],
      shell: true,
      maxOutputBytes: 1000,
    });
    expect(result.stdout).toHaveLength(1000);
    expect(result.stderr).toBe('err\n');
    expect(result.truncatedBytes).toBe(99_000);
  });

  it('kills the whole group past its time, even when the group ignores SIGTERM', async () => {
    await using folder = await temporaryDirectory();
    const file = join(folder.path, 'pid');
    const script = `trap '' TERM; (trap '' TERM; while :; do sleep 0.1; done) & echo $! > ${file}; while :; do sleep 0.1; done`;
    const result = await runBounded({ ...bounds, argv: [script], shell: true, timeoutMs: 300, graceMs: 100 });
    expect(result).toMatchObject({ end: 'timed-out', signal: 'SIGKILL' });
    const pid = Number(await readFile(file, 'utf8'));
    await eventually('the process is gone', () => !alive(pid));
  });

  it('ends what a command left in the background, and does not wait for who holds its pipes', async () => {
    await using folder = await temporaryDirectory();
    const file = join(folder.path, 'pid');
    const result = await runBounded({
      ...bounds,
      argv: [`sleep 30 & echo $! > ${file}; setsid sleep 3 & echo done`],
      shell: true,
    });
    expect(result).toMatchObject({ end: 'exited', exitCode: 0, stdout: 'done\n' });
    expect(result.durationMs).toBeLessThan(2_500);
    const pid = Number(await readFile(file, 'utf8'));
    await eventually('the process is gone', () => !alive(pid));
  });

  it('is ended by its abort signal', async () => {
    await using scratch = await temporaryDirectory();
    const up = join(scratch.path, 'up');
    const controller = new AbortController();
    const argv = ['sh', '-c', `touch ${up}; exec sleep 30`];
    const running = runBounded({ ...bounds, argv, signal: controller.signal });
    await eventually('it runs', () => existsSync(up));
    controller.abort();
    expect(await running).toMatchObject({ end: 'aborted', signal: 'SIGTERM' });
  });

  it('is not started when its signal fires before', async () => {
    const controller = new AbortController();
    const running = runBounded({ ...bounds, argv: ['sleep', '30'], signal: controller.signal });
    controller.abort();
    expect(await running).toMatchObject({ end: 'aborted', stdout: '' });
  });
});
