/** Rotations that are cut short at every step, and trust that changes under live connections. */
import { readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Rotated } from '../../../src/client/contract/index.ts';
import { fleetLayout } from '../../../src/config/index.ts';
import {
  createIssuingAuthority,
  createRootAuthority,
  loadRootAuthority,
  parseAuthorityCsr,
  signAuthorityCsr,
} from '../../../src/pki/index.ts';
import { eventually } from '../../support/eventually.ts';
import { createBench } from '../../support/link-bench.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench } from './core-bench.ts';
import { enroll } from './enroll.ts';

async function rootOf(directory: string) {
  const { rootCertificate: certificateFile, rootKey: keyFile } = fleetLayout(directory);
  return loadRootAuthority({ certificateFile, keyFile });
}

async function signedRequest({ client }: CoreBench, directory: string): Promise<string> {
  const { csr } = await client.beginRotation({ overlapSeconds: 3600 });
  return signAuthorityCsr(await rootOf(directory), await parseAuthorityCsr(csr));
}

const rotate = async (bench: CoreBench, directory: string): Promise<Rotated> =>
  bench.client.completeRotation(await signedRequest(bench, directory));

/** What a coordinator must be like after any start: the files belong together, and it signs. */
async function expectWhole(bench: CoreBench, directory: string, id: string): Promise<void> {
  const { authorities, coordinator } = await bench.client.authorities();
  expect(authorities.filter(({ state }) => state === 'active').map((one) => one.id)).toEqual([id]);
  expect(coordinator.issuer).toBe(id);
  const layout = fleetLayout(directory);
  const bundle = await readFile(layout.authorityBundle, 'utf8');
  const file = id === 'issuing-1' ? layout.issuingCertificate : join(layout.pki, `${id}.crt`);
  expect(bundle.startsWith(await readFile(file, 'utf8'))).toBe(true);
  const own = new X509Certificate(await readFile(layout.coordinatorCertificate));
  expect(own.checkIssued(new X509Certificate(await readFile(file)))).toBe(true);
  expect((await readdir(layout.pki)).filter((name) => name.endsWith('.new'))).toEqual([]);
}

describe('a rotation that a crash cuts short', () => {
  /** How kill -9 would leave pki/. */
  const steps = {
    'with the key alone': async (pki: string) => rm(join(pki, 'issuing-2.crt'), { force: true }),
    'with half a key': async (pki: string) => {
      await rename(join(pki, 'issuing-2.key'), join(pki, 'issuing-2.key.new'));
      await rm(join(pki, 'issuing-2.crt'), { force: true });
    },
    'with a certificate on its way': async (pki: string) =>
      rename(join(pki, 'issuing-2.crt'), join(pki, 'issuing-2.crt.new')),
    'with the certificate in its place': async () => undefined,
  };

  it.each(Object.entries(steps))('%s: it starts, and can be run again', async (name, cut) => {
    await using directory = await temporaryDirectory();
    const layout = fleetLayout(directory.path);
    let pem = '';
    {
      await using bench = await startCore(directory.path);
      await enroll(bench.client, 'gw-1');
      pem = await signedRequest(bench, directory.path);
    }
    await writeFile(join(layout.pki, 'issuing-2.crt'), pem);
    await cut(layout.pki);
    await using bench = await startCore(directory.path);
    if (name === 'with the certificate in its place') {
      await expectWhole(bench, directory.path, 'issuing-2');
      const { authorities } = await bench.client.authorities();
      const [first] = authorities;
      // The overlap that was asked for, not the default.
      expect(first).toMatchObject({ id: 'issuing-1', state: 'overlap' });
      expect(first!.retireAtMs! - authorities[1]!.activeAtMs!).toBe(3_600_000);
      expect((await bench.client.events({ type: 'coordinator.authority-rotated' })).length).toBe(1);
    } else {
      const { authority } = await rotate(bench, directory.path);
      expect(authority.id).toBe('issuing-2');
      await expectWhole(bench, directory.path, 'issuing-2');
    }
    const certificate = await enroll(bench.client, 'gw-2');
    expect(certificate.authority).toBe('issuing-2');
  });

  it.each(['key', 'both'] as const)("in the exchange of the coordinator's pair (%s renamed)", async (how) => {
    await using directory = await temporaryDirectory();
    const layout = fleetLayout(directory.path);
    const { coordinatorCertificate: crt, coordinatorKey: key } = layout;
    {
      await using bench = await startCore(directory.path);
      const [oldKey, oldCertificate] = [await readFile(key), await readFile(crt)];
      await bench.client.renewCoordinator();
      // Back to where the old pair was in place and the new one waited, then on by `how`.
      await rename(crt, `${crt}.new`);
      await writeFile(crt, oldCertificate);
      if (how === 'both') {
        await rename(key, `${key}.new`);
        await writeFile(key, oldKey, { mode: 0o600 });
      }
    }
    await using bench = await startCore(directory.path);
    await bench.client.renewCoordinator();
    await expectWhole(bench, directory.path, 'issuing-1');
  });

  it('with a retired key that was not destroyed yet: it is, at the next start', async () => {
    await using directory = await temporaryDirectory();
    const layout = fleetLayout(directory.path);
    const kept = [layout.issuingCertificate, layout.issuingKey];
    const copies: Buffer[] = [];
    {
      await using bench = await startCore(directory.path);
      for (const path of kept) copies.push(await readFile(path));
      await rotate(bench, directory.path);
      await bench.client.retireAuthority('issuing-1', {});
      await expect(bench.client.retireAuthority('issuing-1', {})).rejects.toMatchObject({ code: 'authority-state' });
      // It may be found out later that somebody had its key.
      const { authority } = await bench.client.retireAuthority('issuing-1', { compromised: true });
      expect(authority).toMatchObject({ state: 'retired', compromised: true });
    }
    for (const [index, path] of kept.entries()) await writeFile(path, copies[index]!, { mode: 0o600 });
    await using bench = await startCore(directory.path);
    await expectWhole(bench, directory.path, 'issuing-2');
    expect((await readdir(layout.pki)).filter((name) => name.startsWith('issuing.'))).toEqual([]);
    expect(bench.gateways.authorities.map(({ id }) => id)).toEqual(['issuing-2']);
  });
});

describe('what the root signs', () => {
  it('is taken only for the very request, of this root, with this key', async () => {
    await using directory = await temporaryDirectory();
    await using bench = await startCore(directory.path);
    await expect(bench.client.completeRotation('nothing')).rejects.toMatchObject({ code: 'authority-not-requested' });
    const pem = await signedRequest(bench, directory.path);
    const stranger = await createRootAuthority({ fleetId: 'harbour' });
    const { csr } = await bench.client.beginRotation({});
    const foreign = await signAuthorityCsr(stranger, await parseAuthorityCsr(csr));
    const other = await createIssuingAuthority(await rootOf(directory.path));
    for (const certificate of [foreign, other.certificatePem, stranger.certificatePem]) {
      await expect(bench.client.completeRotation(certificate)).rejects.toMatchObject({ code: 'pki-authority-unfit' });
    }
    // The key is the same for every request of one rotation.
    expect((await bench.client.completeRotation(pem)).authority.id).toBe('issuing-2');
    await expect(bench.client.completeRotation(pem)).rejects.toMatchObject({ code: 'authority-not-requested' });
  });

  it('ends by itself when the overlap is over', async () => {
    await using directory = await temporaryDirectory();
    await using bench = await startCore(directory.path);
    const { csr } = await bench.client.beginRotation({ overlapSeconds: 0 });
    await bench.client.completeRotation(
      await signAuthorityCsr(await rootOf(directory.path), await parseAuthorityCsr(csr)),
    );
    await eventually('retired', () => bench.gateways.authorities.map(({ id }) => id).join() === 'issuing-2');
    await eventually(
      'its key is gone',
      async () => !(await readdir(fleetLayout(directory.path).pki)).includes('issuing.key'),
    );
  });
});

describe('gateways', () => {
  it('take new trust and a new certificate without losing a connection or a ticket', async () => {
    await using bench = await createBench({ count: 2 });
    const device = await bench.addDevice('d1');
    await eventually('live', () => device.link.status().state === 'live');
    const { issuing } = bench.fleet;
    const first = { id: 'issuing-1', pem: issuing.certificatePem };
    const root = await createRootAuthority({ fleetId: bench.fleet.fleetId });
    const next = await createIssuingAuthority(root);
    bench.pool.setAuthorities([{ id: 'issuing-2', pem: next.certificatePem }, first]);
    const again = await bench.addDevice('d2');
    await eventually('live', () => again.link.status().state === 'live');
    expect(bench.core.disconnects).toEqual([]);

    // A ticket from before is still good.
    const { connection } = bench.core.session('d1')!.connect;
    bench.pool.close(connection, 'superseded');
    await eventually(
      'back',
      () => bench.core.connects.filter(({ identity }) => identity.deviceId === 'd1').length === 2,
    );
    expect(bench.core.connects.at(-1)).toMatchObject({ resumed: true, identity: { authority: 'issuing-1' } });

    // And it ends with the trust: the live connections, the tickets, the handshakes.
    const from = performance.now();
    bench.pool.setAuthorities([{ id: 'issuing-2', pem: next.certificatePem }]);
    await eventually('cut', () => bench.core.disconnects.length === 3, { everyMs: 5 });
    expect(performance.now() - from).toBeLessThan(1_000);
    await eventually(
      'refused',
      async () => (await bench.refused()).filter((reason) => reason === 'unknown-authority').length >= 2,
    );
    expect(bench.core.sessions.size).toBe(0);
  });
});
