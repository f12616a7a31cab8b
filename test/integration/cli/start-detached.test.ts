import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findEntryPoint } from '../../../src/cli/entry-point.ts';
import { waitForExit } from '../../../src/cli/process-exit.ts';
import { startDetached } from '../../../src/cli/start-detached.ts';
import { fleetLayout } from '../../../src/config/fleet-layout.ts';
import { createFleet } from '../../../src/provision/create-fleet.ts';
import { top } from '../../support/cli.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

async function makeFleet() {
  const place = await temporaryDirectory();
  const directory = join(place.path, 'fleet');
  const names = { fleetId: 'harbour', hosts: ['127.0.0.1'], port: 0, passphrase: undefined };
  await createFleet({ directory, ...names, nowMs: Date.now() });
  const entry = findEntryPoint(top, 'coordinator', ['--fleet-dir', directory, '--json']);
  const logPath = join(directory, 'run', 'coordinator.log');
  const config = fleetLayout(directory).config;
  return { entry, logPath, config, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
}

describe('starting the coordinator detached', () => {
  it('returns its ready line, and leaves a log that is for its owner alone', async () => {
    await using fleet = await makeFleet();
    const ready = await startDetached({ ...fleet, timeoutMs: 30_000 });
    try {
      expect(ready.port).toBeGreaterThan(0);
      expect((await stat(fleet.logPath)).mode & 0o777).toBe(0o600);
      const second = startDetached({ ...fleet, timeoutMs: 30_000 });
      await expect(second).rejects.toMatchObject({ fault: 'refused', code: 'coordinator-running' });
    } finally {
      process.kill(ready.pid, 'SIGTERM');
    }
    expect(await waitForExit(ready.pid, 20_000)).toBe(true);
  });

  it('throws the very error of a start that fails', async () => {
    await using fleet = await makeFleet();
    await writeFile(fleet.config, (await readFile(fleet.config, 'utf8')).replace('port: 0', 'port: -1'));
    await expect(startDetached({ ...fleet, timeoutMs: 30_000 })).rejects.toMatchObject({
      fault: 'usage',
      code: 'config-invalid',
      detail: { position: { file: fleet.config, line: expect.any(Number) } },
    });
  });

  it('says where to look when the process ends without a word', async () => {
    await using fleet = await makeFleet();
    const entry = { ...fleet.entry, argv: ['-e', 'process.exit(3)'] };
    await expect(startDetached({ ...fleet, entry, timeoutMs: 30_000 })).rejects.toMatchObject({
      code: 'coordinator-not-started',
      detail: { seen: 'exit code 3' },
    });
  });
});
