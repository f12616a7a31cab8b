import { spawn } from 'node:child_process';
import { chmod, readFile, symlink, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { runBounded, type BoundedCommand } from '../../../src/agent/machine/run-bounded.ts';
import { WaitingProcess } from '../../../src/agent/machine/waiting-process.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitingShells } from '../../support/waiting-shell.ts';

const bounds = { timeoutMs: 20_000, maxOutputBytes: 65_536, environment: { FLOTILLA_JOB_ID: 'j-1' } };

/** No time passes: a second one comes when the test asks for it. */
const stillClock = { ...systemClock, schedule: () => () => undefined };

/** One that waits, with what it is. */
async function prepared(shell?: string) {
  const waiting = new WaitingProcess({ clock: stillClock, ...(shell === undefined ? {} : { shell }) });
  await waiting.prepare();
  const [pid] = waitingShells(process.pid);
  return {
    pid,
    waiting,
    run: (argv: string[], more: Partial<BoundedCommand> = {}) => runBounded({ ...bounds, argv, waiting, ...more }),
    async [Symbol.asyncDispose]() {
      waiting.stop();
      await eventually('none waits', () => waitingShells(process.pid).length === 0);
    },
  };
}

async function isGone(pid: number): Promise<true> {
  return eventually(`${pid} has ended`, async () => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State: X');
    return /^State:\s+[XZ]/m.test(status);
  });
}

describe('a process that waits for its command', () => {
  it('becomes the command, with its pid and its group', async () => {
    await using ready = await prepared();
    const { stdout } = await ready.run(['echo $$ $(cut -d" " -f5 /proc/$$/stat)'], { shell: true });
    expect(stdout).toBe(`${ready.pid} ${ready.pid}\n`);
    expect(waitingShells(process.pid)).toEqual([]);
  });

  it('passes every argument and every value on as it is', async () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.constantFrom("'", "''\\'", '\n', '-n', '$(id)'),
    );
    const words = fc.array(
      word.map((text) => text.replaceAll('\0', '')),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(words, async (args) => {
        await using ready = await prepared();
        const { stdout } = await ready.run(['printf', '%s\\0', ...args, 'end']);
        expect(stdout.split('\0').slice(0, -1)).toEqual([...args, 'end']);
        expect(waitingShells(process.pid)).toEqual([]);
        await ready.waiting.prepare();
        const value = args.join('');
        const printed = await ready.run(['printenv', 'VALUE'], { environment: { VALUE: value } });
        expect(printed.stdout).toBe(`${value}\n`);
      }),
      { numRuns: 60 },
    );
  });

  it('gives the command what a direct start gives it: environment, signals, descriptors, and nothing to read', async () => {
    await using ready = await prepared();
    for (const argv of [
      ['cat', '/proc/self/environ'],
      ['grep', '^Sig[BI]', '/proc/self/status'],
      ['readlink', '/proc/self/cwd', '/proc/self/fd/0'],
      ['sh', '-c', 'for fd in /proc/$$/fd/*; do echo ${fd##*/}; done; umask; cat'],
    ]) {
      await ready.waiting.prepare();
      const direct = await runBounded({ ...bounds, argv });
      const seen = await ready.run(argv);
      expect(waitingShells(process.pid)).toEqual([]);
      const sorted = ({ stdout }: { stdout: string }) => stdout.split(/[\0\n]/).toSorted();
      expect(sorted(seen)).toEqual(sorted(direct));
    }
  });

  it('takes over environments that have names which shells like to set', async () => {
    const script = `
      import { WaitingProcess } from ${JSON.stringify(join(process.cwd(), 'src/agent/machine/waiting-process.ts'))};
      import { runBounded } from ${JSON.stringify(join(process.cwd(), 'src/agent/machine/run-bounded.ts'))};
      const waiting = new WaitingProcess({ clock: { schedule: () => () => undefined } });
      await waiting.prepare();
      const bounds = { timeoutMs: 9_000, maxOutputBytes: 9_000, waiting };
      const { stdout } = await runBounded({ ...bounds, argv: ['cat', '/proc/self/environ'] });
      process.stdout.write(stdout);`;
    const PATH = process.env['PATH']!;
    for (const env of [
      { PATH, PWD: '/else', OLDPWD: '/b', SHLVL: '7', _: 'x' },
      { PATH },
      { PATH, 'a.b': '1', PPID: '1' },
    ]) {
      const node = spawn(process.execPath, ['--input-type=module', '-e', script], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let seen = '';
      node.stdout.on('data', (chunk) => (seen += String(chunk)));
      await once(node, 'close');
      expect(
        Object.fromEntries(
          seen
            .split('\0')
            .slice(0, -1)
            .map((pair) => pair.split('=')),
        ),
      ).toEqual(env);
    }
  });

  it('ends as the command does', async () => {
    await using ready = await prepared();
    expect(await ready.run(['echo oops >&2; exit 127'], { shell: true })).toMatchObject({
      end: 'exited',
      exitCode: 127,
      stderr: 'oops\n',
    });
    await ready.waiting.prepare();
    expect(await ready.run(['kill -KILL $$'], { shell: true })).toMatchObject({ end: 'exited', signal: 'SIGKILL' });
  });

  it('is stopped with its group, and its output is cut, as after a direct start', async () => {
    await using ready = await prepared();
    const late = await ready.run(['trap "" TERM; sleep 60 & echo $!; wait; wait'], {
      shell: true,
      timeoutMs: 300,
      graceMs: 100,
    });
    expect(late).toMatchObject({ end: 'timed-out', signal: 'SIGKILL' });
    await isGone(Number(late.stdout));
    await ready.waiting.prepare();
    expect(await ready.run(['printf', '%9s', 'x'], { maxOutputBytes: 4 })).toMatchObject({
      stdout: '    ',
      truncatedBytes: 5,
    });
  });

  it('leaves to a direct start what it can not start, so that the system says why', async () => {
    await using ready = await prepared();
    await using dir = await temporaryDirectory();
    const plain = join(dir.path, 'plain');
    await writeFile(plain, '#!/bin/sh\n', { mode: 0o644 });
    for (const [file, code] of [
      ['no-such-program-here', 'ENOENT'],
      [plain, 'EACCES'],
      [dir.path, 'EACCES'],
      ['', ''],
    ] as const) {
      const end = await ready.run([file]);
      expect(end.end).toBe('not-started');
      expect(end.message).toContain(code);
    }
    const long = 'x'.repeat(100_000);
    expect((await ready.run(['printf', '%s', long], { maxOutputBytes: 200_000 })).stdout).toBe(long);
    expect((await ready.run(['pwd'], { directory: '/usr' })).stdout).toBe('/usr\n');
    expect(waitingShells(process.pid)).toEqual([ready.pid]);
  });

  it('says that a program was not started whose interpreter is missing', async () => {
    await using ready = await prepared();
    await using dir = await temporaryDirectory();
    const script = join(dir.path, 'script');
    await writeFile(script, '#!/no/such/interpreter\n', { mode: 0o755 });
    const end = await ready.run([script]);
    expect(end).toMatchObject({ end: 'not-started', stdout: '', stderr: '' });
    expect(end.message).toMatch(/^\S+script: .*not found/);
  });

  it('is replaced when asked; until then commands start directly', async () => {
    await using ready = await prepared();
    const both = await Promise.all([ready.run(['echo $$'], { shell: true }), ready.run(['echo $$'], { shell: true })]);
    expect(both[0].stdout).toBe(`${ready.pid}\n`);
    expect(Number(both[1].stdout)).toBeGreaterThan(0);
    expect(both[1].stdout).not.toBe(both[0].stdout);
    await Promise.all([ready.waiting.prepare(), ready.waiting.prepare()]);
    expect(waitingShells(process.pid)).toHaveLength(1);
  });

  it('is made in a quiet moment after the last command', async () => {
    const delays: number[] = [];
    const clock = {
      ...systemClock,
      schedule: (ms: number, fn: () => void) => (delays.push(ms), systemClock.schedule(1, fn)),
    };
    const waiting = new WaitingProcess({ clock });
    waiting.prepareSoon();
    const pid = await eventually('one waits', () => waitingShells(process.pid)[0]);
    expect((await runBounded({ ...bounds, argv: ['echo $$'], shell: true, waiting })).stdout).toBe(`${pid}\n`);
    await eventually('another waits', () => waitingShells(process.pid).some((other) => other !== pid));
    expect(new Set(delays)).toEqual(new Set([1_000]));
    waiting.stop();
    await eventually('none waits', () => waitingShells(process.pid).length === 0);
  });

  it('runs a command once, also when what waits was killed just before', async () => {
    await using dir = await temporaryDirectory();
    const file = join(dir.path, 'ran');
    for (const wait of [false, true]) {
      await using ready = await prepared();
      process.kill(ready.pid!, 'SIGKILL');
      if (wait) await isGone(ready.pid!);
      await ready.run([`echo once >> ${file}`], { shell: true });
    }
    // Killed after the line was written and before it was read: it has not run, and is not run again.
    expect((await readFile(file, 'utf8')).split('\n').filter(Boolean).length).toBeLessThanOrEqual(2);
    expect(await readFile(file, 'utf8')).toMatch(/^(once\n){1,2}$/);
  });

  it('holds no process up, and ends with it, however that ends', async () => {
    const script = `
      import { WaitingProcess } from ${JSON.stringify(join(process.cwd(), 'src/agent/machine/waiting-process.ts'))};
      import { waitingShells } from ${JSON.stringify(join(process.cwd(), 'test/support/waiting-shell.ts'))};
      await new WaitingProcess({ clock: {} }).prepare();
      console.log(waitingShells(process.pid)[0]);
      if (process.argv[1] === 'stay') setInterval(() => undefined, 1_000);`;
    for (const how of ['stay', 'go']) {
      const node = spawn(process.execPath, ['--input-type=module', '-e', script, how], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(node, 'close');
      const [line] = (await once(node.stdout, 'data')) as [Buffer];
      if (how === 'stay') node.kill('SIGKILL');
      await ended;
      await isGone(Number(String(line)));
    }
  });

  it('is not there where no shell passes a command on as it is', async () => {
    await using dir = await temporaryDirectory();
    const odd = join(dir.path, 'sh');
    await writeFile(odd, '#!/bin/sh\nexport ODD=1\nexec /bin/sh\n');
    await chmod(odd, 0o755);
    for (const shell of [odd, '/bin/cat', '/bin/true', '/no/such/shell']) {
      await using ready = await prepared(shell);
      expect(ready.pid).toBeUndefined();
      expect((await ready.run(['printf', 'x'])).stdout).toBe('x');
    }
  });

  it('can be a bash that is called sh', async ({ skip }) => {
    await using dir = await temporaryDirectory();
    await symlink('/bin/bash', join(dir.path, 'sh'));
    if ((await runBounded({ ...bounds, argv: [join(dir.path, 'sh'), '-c', 'true'] })).exitCode !== 0) skip('no bash');
    const had = process.env['_'];
    delete process.env['_']; // bash makes its own, as a machine's supervisor does not
    delete process.env['SHLVL'];
    await using ready = await prepared(join(dir.path, 'sh'));
    process.env['_'] = had;
    expect(ready.pid).toBeDefined();
    const argv = ['printf', '%s|', "it's", '', 'a\nb', '\u{1F6A2}', '$HOME'];
    expect((await ready.run(argv)).stdout).toBe("it's||a\nb|\u{1F6A2}|$HOME|");
    expect(waitingShells(process.pid)).toEqual([]);
  });
});
