import { chmod, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import { createFleet } from '../../../src/provision/create-fleet.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { enroll } from './enroll.ts';

const entry = join(import.meta.dirname, '..', '..', '..', 'src', 'bin', 'coordinator.ts');

async function fleetIn(directory: string, port = 0): Promise<string> {
  const path = join(directory, 'fleet');
  const hosts = ['127.0.0.1'];
  await createFleet({ directory: path, fleetId: 'harbour', hosts, port, passphrase: undefined, nowMs: Date.now() });
  const config = join(path, 'coordinator.yaml');
  await writeFile(config, (await readFile(config, 'utf8')).replace(/^#? ?gateways:.*$/m, 'gateways: 1'));
  return path;
}

/** The process, from its first line on: ready, or the error of a failed start. */
function start(fleet: string) {
  const child = execa(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', entry, '--fleet-dir', fleet, '--json'],
    {
      reject: false,
      cleanup: true,
    },
  );
  const line = new Promise<any>((resolve) => {
    child.stdout.once('data', (chunk) => resolve(JSON.parse(String(chunk))));
    void child.then(({ stderr }) => resolve({ error: { code: 'said-nothing', message: stderr } }));
  });
  return { child, line };
}

const clientOf = (fleet: string) => new CoordinatorClient(new HttpConnection(join(fleet, 'run', 'api.sock')));
const left = async (fleet: string) => [
  ...(await readdir(join(fleet, 'run')).catch(() => [])).filter((name) => !name.startsWith('coordinator.lock')),
  ...(await readdir(join(fleet, 'data')).catch(() => [])).filter((name) => name !== 'blobs'),
];

describe('the coordinator process', () => {
  it('says when it is ready, is alone on its fleet, and stops in order', async () => {
    await using directory = await temporaryDirectory();
    const fleet = await fleetIn(directory.path);
    const first = start(fleet);
    const ready = await first.line;
    expect(ready).toMatchObject({ ready: true, pid: first.child.pid, port: expect.any(Number) });
    const status = await clientOf(fleet).status();
    expect(status).toMatchObject({ pid: ready.pid, listen: { port: ready.port } });
    expect(JSON.parse(await readFile(join(fleet, 'run', 'coordinator.json'), 'utf8'))).toMatchObject({
      pid: ready.pid,
    });
    expect((await stat(join(fleet, 'data', 'flotilla.db'))).mode & 0o077).toBe(0);

    const second = start(fleet);
    expect((await second.line).error).toMatchObject({
      code: 'coordinator-running',
      seen: expect.stringContaining(`pid ${ready.pid}`),
    });
    expect((await second.child).exitCode).toBe(6);
    expect((await clientOf(fleet).status()).pid).toBe(ready.pid);

    expect(await clientOf(fleet).shutdown()).toEqual({ pid: ready.pid });
    expect((await first.child).exitCode).toBe(0);
    // The key of tickets outlives the process: devices need not shake hands in full.
    expect(await left(fleet)).toEqual(['audit-heads.ndjson', 'flotilla.db', 'ticket-key.json']);
    await expect(clientOf(fleet).status()).rejects.toMatchObject({ code: 'coordinator-unreachable' });
    for (const { pid } of status.gateways) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('loses nothing acknowledged when it is killed with -9, and starts over its own remains', async () => {
    await using directory = await temporaryDirectory();
    const fleet = await fleetIn(directory.path);
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      const { child, line } = start(fleet);
      await line;
      const client = clientOf(fleet);
      expect((await client.certificates()).map(({ serial }) => serial)).toEqual(expect.arrayContaining(acknowledged));
      const work = (async () => {
        for (let n = 0; ; n += 1) acknowledged.push((await enroll(client, `gw-${round}-${n}`)).serialHex);
      })();
      await eventually('some are acknowledged', () => acknowledged.length >= (round + 1) * 5, { everyMs: 1 });
      child.kill('SIGKILL'); // in mid-work
      await expect(work).rejects.toMatchObject({ fault: 'unreachable' });
      await child;
    }
    const { child, line } = start(fleet);
    await line;
    const certificates = await clientOf(fleet).certificates();
    expect(certificates.map(({ serial }) => serial)).toEqual(expect.arrayContaining(acknowledged));
    expect((await clientOf(fleet).devices()).length).toBe(certificates.length);
    child.kill('SIGTERM');
    expect((await child).exitCode).toBe(0);
  });

  it('names the port that is taken and the line of coordinator.yaml, and leaves nothing behind', async () => {
    await using directory = await temporaryDirectory();
    await using taken = createServer().listen(0, '0.0.0.0');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const fleet = await fleetIn(directory.path, port);
    const { child, line } = start(fleet);
    const { error } = await line;
    expect(error).toMatchObject({ code: 'gateway-listen', message: expect.stringContaining(String(port)) });
    const yaml = (await readFile(join(fleet, 'coordinator.yaml'), 'utf8')).split('\n');
    expect(yaml[error.position.line - 1]).toContain(`port: ${port}`);
    expect((await child).exitCode).not.toBe(0);
    expect(await left(fleet)).toEqual([]);
  });

  it('refuses a key that others can read, a damaged configuration, and a database that is not its own', async () => {
    await using directory = await temporaryDirectory();
    const fleet = await fleetIn(directory.path);
    const errorOf = async () => (await start(fleet).line).error;
    await chmod(join(fleet, 'pki', 'issuing.key'), 0o644);
    expect(await errorOf()).toMatchObject({ message: expect.stringContaining('issuing.key') });
    await chmod(join(fleet, 'pki', 'issuing.key'), 0o600);

    const yaml = await readFile(join(fleet, 'coordinator.yaml'), 'utf8');
    await writeFile(join(fleet, 'coordinator.yaml'), `${yaml}\ngatways: 2\n`);
    expect(await errorOf()).toMatchObject({ fault: 'usage', position: { line: expect.any(Number) } });
    await writeFile(join(fleet, 'coordinator.yaml'), yaml);

    const other = new DatabaseSync(join(fleet, 'data', 'flotilla.db'));
    other.exec('CREATE TABLE contact (name TEXT)');
    other.close();
    expect(await errorOf()).toMatchObject({ code: 'store-foreign' });
    expect(await left(fleet)).toEqual(['flotilla.db']);
  });
});
