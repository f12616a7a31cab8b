/** Deltas under fire: the coordinator is killed while it makes one, its disk is full, the file of one is lost, they are turned off. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CoordinatorStatus, Release } from '../../src/client/contract/index.ts';
import { CoordinatorClient } from '../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../src/client/http-connection.ts';
import { coordinatorServerName, createDeviceKeyAndCsr } from '../../src/pki/index.ts';
import { rehearse } from '../soak/update/understudy.ts';
import { eventually } from '../support/eventually.ts';
import { alive, createFleet, type TestFleet } from '../support/fleet.ts';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';
import { smallProduct, type SmallProduct } from '../support/small-product.ts';

let fleet: TestFleet;
let client: CoordinatorClient;
let product: SmallProduct;
let serverName = '';
let published = 0;

beforeAll(async () => {
  fleet = await createFleet();
  client = new CoordinatorClient(new HttpConnection(join(fleet.dir, 'run', 'api.sock')));
  serverName = coordinatorServerName((await client.status()).fleetId);
  const privateKeyPath = join(fleet.dir, 'keys', 'firmware.priv');
  product = await smallProduct(join(fleet.scratch, 'small'), { fillerBytes: 2_000_000, privateKeyPath });
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

const blobs = async (): Promise<string[]> => {
  const names = await readdir(join(fleet.dir, 'data', 'blobs'), { recursive: true });
  return names.filter((name) => name !== 'tmp' && name !== 'filler');
};
const show = async (id: string): Promise<Release> => {
  const ran = await fleet.cli(['release', 'show', id, '--json']);
  return ran.json<Release>();
};
const made = (id: string) =>
  eventually(
    `a delta for ${id}`,
    async () => {
      const [delta] = (await show(id)).deltas ?? [];
      return delta !== undefined && 'sizeBytes' in delta && delta;
    },
    { timeoutMs: 60_000, everyMs: 300 },
  );

/** The same in all but little, every time. */
async function publish(): Promise<Release> {
  published += 1;
  const { path } = await product.build(`1.0.${published}`, { 'etc/note': `${published}` }, { imageOf: '1.0.0' });
  const ran = await fleet.cli(['release', 'publish', path, '--json']);
  expect(ran.exitCode, ran.stdout).toBe(0);
  return ran.json<Release>();
}

/** A device that runs this, and is gone again. */
async function deviceOn({ bundleUuid, version }: Release): Promise<void> {
  const { csrPem, privateKeyPem } = await createDeviceKeyAndCsr('d-1');
  const known = (await client.devices({})).some(({ id }) => id === 'd-1');
  const { certificate, authority } = await client.sign({ csr: csrPem, ...(known ? { deviceId: 'd-1' } : {}) });
  const running = { bootId: randomUUID(), slot: 'a', bundleUuid, version };
  const payload = Buffer.from(JSON.stringify({ running, agentVersion: '0.1.0' }));
  const row = { type: 'flotilla.boot', key: '', timestampMs: Date.now(), schema: 0n, payload };
  await rehearse({
    device: { id: 'd-1', keyPem: privateKeyPem, certificatePem: certificate.pem, authorityPem: authority },
    port: fleet.port,
    serverName,
    instanceId: BigInt(published),
    rows: new Map([[0, new Map([[1, row]])]]),
    upToSeq: [1, 0, 0, 0],
    isTarget: false,
  });
}

/** The process that makes a delta now. */
async function maker({ pid }: CoordinatorStatus): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  for (const child of children.trim().split(' ').filter(Boolean)) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
    if (/\/delta\.[jt]s\0/.test(command)) return Number(child);
  }
  return undefined;
}

it('a delta is made after all when the coordinator was killed while it made one', async () => {
  const first = await publish();
  await deviceOn(first);
  const status = await client.status();
  const publishing = publish();
  const pid = await eventually('a delta is being made', () => maker(status), { everyMs: 2 });
  const second = await publishing;
  await fleet.killCoordinator();
  await eventually('nobody makes it any more', () => !alive(pid));
  await fleet.startCoordinator();
  const { sizeBytes } = await made(second.id);
  expect(sizeBytes).toBeLessThan(0.2 * second.sizeBytes);
  expect((await blobs()).length).toBe(3); // two releases, a delta, nothing that was left lying about
});

it('one whose file was lost is made anew, and one of a release that was overtaken is removed', async () => {
  const [second] = (await client.releases()).slice(-1);
  const before = await blobs();
  const releases = new Set((await client.releases()).map(({ sha256 }) => sha256));
  const delta = before.find((name) => !releases.has(name));
  await fleet.stopCoordinator();
  await rm(join(fleet.dir, 'data', 'blobs', delta!));
  await fleet.startCoordinator();
  await eventually('the file is back', async () =>
    stat(join(fleet.dir, 'data', 'blobs', delta!)).catch(() => undefined),
  );
  expect(await blobs()).toEqual(before);

  const third = await publish();
  await made(third.id);
  expect((await show(second!.id)).deltas ?? []).toEqual([]);
  expect(await blobs()).not.toContain(delta);
  expect((await blobs()).length).toBe(4); // three releases, a delta
});

it.skipIf(!canMount())('a full disk leaves nothing behind and no delta, and costs nothing else', async () => {
  const folder = join(fleet.dir, 'data', 'blobs');
  await fleet.stopCoordinator();
  const kept = new Map<string, Buffer>();
  for (const name of await blobs()) kept.set(name, await readFile(join(folder, name)));
  published += 1;
  const next = await product.build(`1.0.${published}`, { 'etc/note': 'next' }, { imageOf: '1.0.0' });
  await mkdir(folder, { recursive: true });
  const used = [...kept.values()].reduce((sum, { length }) => sum + Math.ceil(length / 4_096) * 4_096, 0);
  const room = Math.ceil((await stat(next.path)).size / 4_096) * 4_096;
  const disk = await mountSmallDisk(folder, used + room);
  try {
    for (const [name, bytes] of kept) await writeFile(join(folder, name), bytes);
    await fleet.startCoordinator();
    await eventually('it has looked', async () => (await client.status()).pid > 0);
    const ran = await fleet.cli(['release', 'publish', next.path, '--json']);
    expect(ran.exitCode, ran.stdout).toBe(0);
    const fourth = ran.json<Release>();
    await eventually('it could not be made', async () =>
      /a delta could not be made.*|no space left/i.test(
        (await fleet.coordinatorLog()).split('coordinator is ready').at(-1)!,
      ),
    );
    expect((await show(fourth.id)).deltas ?? []).toEqual([]);
    const inTmp = await readdir(join(folder, 'tmp')).catch(() => []);
    expect(inTmp).toEqual([]);
    expect((await client.status()).pid).toBeGreaterThan(0);
  } finally {
    await fleet.stopCoordinator();
    kept.clear(); // what has been removed since stays so
    for (const name of await blobs()) kept.set(name, await readFile(join(folder, name)));
    await disk[Symbol.asyncDispose]();
    for (const name of await blobs()) await rm(join(folder, name)); // what stood here before the mount
    for (const [name, bytes] of kept) await writeFile(join(folder, name), bytes);
    await fleet.startCoordinator();
  }
  const [newest] = (await client.releases()).slice(-1);
  await made(newest!.id);
});

it('turned off, none is made, and those that were are removed', async () => {
  await fleet.stopCoordinator();
  const file = join(fleet.dir, 'coordinator.yaml');
  const yaml = await readFile(file, 'utf8');
  expect(yaml).toContain('deltas:\n  enabled: true\n');
  await writeFile(file, yaml.replace('deltas:\n  enabled: true\n', 'deltas:\n  enabled: false\n'));
  await fleet.startCoordinator();
  const count = (await client.releases()).length;
  await eventually('they are removed', async () => (await blobs()).length === count);
  const next = await publish();
  expect((await show(next.id)).deltas ?? []).toEqual([]);
  const status = await client.status();
  expect(await maker(status)).toBeUndefined();
});
