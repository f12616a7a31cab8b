/** The README's five-minute start, line by line as it stands there. */
import { randomInt } from 'node:crypto';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { launcher, top } from '../support/cli.ts';
import { temporaryDirectory } from '../support/temporary.ts';

it('the five-minute start of the README works as typed', async () => {
  await using scratch = await temporaryDirectory();
  const readme = await readFile(join(top, 'README.md'), 'utf8');
  const block = /```sh\n(flotilla init[\s\S]*?)```/.exec(readme)?.[1];
  expect(block, 'a sh block that begins with flotilla init').toBeDefined();

  // The one change: a port that is free here. A reader waits a moment by himself for the device to appear.
  const port = await freePort();
  const typed = block!
    .replaceAll('7443', String(port))
    .replace(/^flotilla init \S+/m, `$& --port ${port}`)
    .replace(/^flotilla agent run .*$/m, (line) => `${line}\n${untilConnected}`);
  const script = join(scratch.path, 'start.sh');
  await writeFile(script, `set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\nset -x\n${typed}`);
  const bin = join(scratch.path, 'bin');
  await mkdir(bin);
  await symlink(launcher, join(bin, 'flotilla'));
  await symlink(process.execPath, join(bin, 'node'));
  const ran = await execa('bash', [script], {
    cwd: scratch.path,
    env: { PATH: `${bin}:${process.env['PATH']}` },
    reject: false,
    all: true,
    timeout: 120_000,
  });
  expect(ran.all).toContain('Linux ');
  expect(ran.exitCode, ran.all).toBe(0);
});

const untilConnected = `until flotilla device list 'G@site:harbour' --json | grep -q '"connected":true'; do sleep 0.2; done`;

/** Below those that the system gives to whoever asks for any (`ip_local_port_range`): nobody gets it meanwhile. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
}
