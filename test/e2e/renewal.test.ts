/** A device gets a new certificate with a new key: in band, at an operator's word, and nothing of the old key is left. */
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await createFleet();
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

async function json<T = any>(args: string[]): Promise<T> {
  const ran = await fleet.cli([...args, '--json']);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran.json<T>();
}

/** Every private key below a folder. */
async function keysBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const texts = await Promise.all(files.map(async (file) => [file, await readFile(file, 'latin1')] as const));
  return texts.filter(([, text]) => text.includes('PRIVATE KEY')).map(([file]) => file);
}

describe('a renewal', () => {
  it('is proven by the device that comes in with the new certificate', async () => {
    const agent = await fleet.addAgent('d-1');
    await fleet.connected('d-1');
    const before = (await json(['device', 'show', 'd-1'])).certificate.serial;
    const oldKey = await readFile(join(agent.dir, 'device.key'), 'utf8');

    const renewed = await json(['cert', 'renew', 'd-1', '--wait']);
    expect(renewed).toMatchObject({ changed: ['d-1'], outcome: { proven: ['d-1'], failed: [], waiting: [] } });

    const certificates = await json<any[]>(['cert', 'list', '--device', 'd-1']);
    const after = certificates.find(({ renews }) => renews === before);
    expect(after.provenAtMs).toBeGreaterThan(0);
    expect(certificates.find(({ serial }) => serial === before)).toMatchObject({ replacedBy: after.serial });
    expect(await json(['device', 'show', 'd-1'])).toMatchObject({
      connected: true,
      certificate: { serial: after.serial, provenAtMs: after.provenAtMs },
    });
    expect(await json(['cert', 'renewals'])).toEqual([]);

    await eventually('the old key is gone', async () => (await keysBelow(agent.dir)).length === 1);
    const key = join(agent.dir, 'device.key');
    expect((await lstat(key)).isSymbolicLink()).toBe(true);
    expect(await readlink(key)).toBe('state/identity/current/device.key');
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    expect(await readFile(key, 'utf8')).not.toBe(oldKey);

    await agent.kill();
    await agent.restart();
    await eventually('it is back with the new certificate', async () => {
      const device = await json(['device', 'show', 'd-1']);
      return device.connected && device.certificate.serial === after.serial;
    });
    const again = await json(['cert', 'renew', 'd-1', '--wait']);
    expect(again.outcome.proven).toEqual(['d-1']);
    await eventually('only the newest key is there', async () => (await keysBelow(agent.dir)).length === 1);
    const log = await agent.log();
    expect(log).not.toContain('PRIVATE KEY');
    await agent.kill();
  });

  it('waits for a device that is away', async () => {
    const agent = await fleet.addAgent('d-2');
    await fleet.connected('d-2');
    await agent.kill();
    await eventually('it is away', async () => !(await json(['device', 'show', 'd-2'])).connected);
    const waited = await fleet.cli(['cert', 'renew', 'd-2', '--wait', '--timeout', '1s', '--json']);
    expect(waited.exitCode).toBe(5);
    expect(waited.json().outcome.waiting).toEqual(['d-2']);
    expect(await json(['cert', 'renewals'])).toMatchObject([
      { deviceId: 'd-2', state: 'wanted', cause: 'operator', connected: false, reason: 'the device is away' },
    ]);
    expect((await json(['device', 'show', 'd-2'])).renewal).toMatchObject({ state: 'wanted' });
    await fleet.killCoordinator();
    await fleet.startCoordinator();
    await agent.restart();
    await eventually('it has renewed', async () => {
      const { certificate, renewal } = await json(['device', 'show', 'd-2']);
      return certificate.provenAtMs !== undefined && renewal === undefined;
    });
    await agent.kill();
  });
});
