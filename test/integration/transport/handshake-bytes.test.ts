import { describe, expect, it } from 'vitest';
import { execa } from 'execa';
import { readFile, writeFile } from 'node:fs/promises';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { formatPrivateKey } from '../../../src/pki/index.ts';
import { createCountingProxy, type Counted } from '../../support/counting-proxy.ts';
import { eventually } from '../../support/eventually.ts';
import { createBench, LedgerCore } from '../../support/link-bench.ts';

/** Bytes of TCP payload of a first connection and of a second, TLS + HELLO + WELCOME and nothing else. */
async function connectTwice(keyExchange: 'classic' | 'hybrid'): Promise<{ first: number; again: number }> {
  await using bench = await createBench();
  await using proxy = await createCountingProxy(bench.pool.port);
  const endpoint = { host: '127.0.0.1', port: proxy.port, serverName: bench.fleet.serverName };
  const device = await bench.addDevice('m-4711', { link: { endpoint, keyExchange } });
  const total = ({ upBytes, downBytes }: Counted): number => upBytes + downBytes;
  const cost = async (n: number): Promise<number> => {
    const connect = await eventually('connected', () => bench.core.connects[n]);
    await eventually('live', () => device.link.status().state === 'live'); // WELCOME follows the ticket
    expect(connect.resumed).toBe(n > 0);
    const bytes = total(proxy.connections[n]!);
    bench.pool.close(connect.connection, 'superseded');
    await eventually('gone', () => bench.core.disconnects[n]);
    return bytes;
  };
  return { first: await cost(0), again: await cost(1) };
}

describe('a connection, counted between the two programs', () => {
  it('costs at most 3,300 bytes at first and 1,300 again', async () => {
    const { first, again } = await connectTwice('classic');
    expect(first).toBeLessThanOrEqual(3_300);
    expect(again).toBeLessThanOrEqual(1_300);
    expect(again).toBeGreaterThan(500); // something was counted
  });

  it('costs the ML-KEM shares more, and no round trip, when the device asks for hybrid key exchange', async () => {
    const { first, again } = await connectTwice('hybrid');
    expect(first).toBeGreaterThan(3_300);
    expect(first).toBeLessThan(5_700);
    expect(again).toBeLessThan(3_800);
  });

  it('is open to a legacy device with an RSA key', async () => {
    await using bench = await createBench();
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { fleetId, issuing, authorityPem } = bench.fleet;
    const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const keyFile = join(bench.fleet.directory, 'rsa.key');
    const requestFile = join(bench.fleet.directory, 'rsa.csr');
    await writeFile(keyFile, keyPem, { mode: 0o600 });
    await execa('openssl', ['req', '-new', '-key', keyFile, '-subj', '/CN=old-1', '-out', requestFile]);
    const issuer = join(bench.fleet.directory, 'issuing');
    await writeFile(`${issuer}.key`, formatPrivateKey(issuing.privateKey), { mode: 0o600 });
    await writeFile(`${issuer}.crt`, issuing.certificatePem);
    const extensions = join(bench.fleet.directory, 'rsa.ext');
    await writeFile(
      extensions,
      `basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,clientAuth\n` +
        `subjectAltName=URI:flotilla://${fleetId}/device/old-1\n`,
    );
    const certificateFile = join(bench.fleet.directory, 'rsa.crt');
    const ca = ['-CA', `${issuer}.crt`, '-CAkey', `${issuer}.key`, '-extfile', extensions];
    await execa('openssl', ['x509', '-req', '-in', requestFile, ...ca, '-days', '9', '-out', certificateFile]);
    const certificatePem = await readFile(certificateFile, 'utf8');
    const device = await bench.addDevice('old-1', { pems: { keyPem, certificatePem, authorityPem } });
    await eventually('live', () => device.link.status().state === 'live');
  });

  it('goes only to the coordinator that bears the name, though the name is not sent', async () => {
    await using bench = await createBench();
    const endpoint = { host: '127.0.0.1', port: bench.pool.port, serverName: 'coordinator.other.flotilla' };
    const device = await bench.addDevice('d1', { link: { endpoint } });
    const { reason } = await eventually('refused', () => {
      const status = device.link.status();
      return status.state === 'waiting' && status;
    });
    expect(reason).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(bench.core.connects).toEqual([]);
  });
});

describe('a session with the control lane alone, over real sockets', () => {
  it('holds back data, carries control, and goes on with all lanes when it is opened', async () => {
    const core = new LedgerCore();
    core.standing = 'quarantined';
    await using bench = await createBench({ core });
    const device = await bench.addDevice('d1');
    const status = await eventually('held', () => {
      const now = device.link.status();
      return now.state === 'held' && now;
    });
    expect(status.reason).toBe('quarantined');
    for (const lane of [3, 2, 1, 0] as const) device.append(lane, String(lane));
    await eventually('control has come', () => core.payloads('d1', 0).length === 1);
    expect(([1, 2, 3] as const).flatMap((lane) => core.payloads('d1', lane))).toEqual([]);
    await expect(device.link.fetch({ sha256: 'a'.repeat(64), offset: 0, length: 1 })).rejects.toMatchObject({
      code: 'link-lost',
    });
    bench.pool.open(core.session('d1')!.connect.connection);
    await eventually('the rest has come', () =>
      ([1, 2, 3] as const).every((lane) => core.payloads('d1', lane).length === 1),
    );
    expect(device.link.status().state).toBe('live');
    expect(core.connects).toHaveLength(1);
  });

  it('pauses, refuses and probes over the same ports', async () => {
    await using bench = await createBench();
    const device = await bench.addDevice('d1');
    await eventually('live', () => device.link.status().state === 'live');
    const { connection } = bench.core.session('d1')!.connect;
    bench.pool.probe(connection, 10_000);
    await eventually('answered', () => bench.core.probes.length === 1);
    expect(bench.core.probes).toEqual([{ connection, answered: true }]);
    bench.core.acknowledging = false;
    device.append(2, 'unwanted');
    await eventually('it has come', () => bench.core.payloads('d1', 2).length === 1);
    bench.pool.nack(connection, 2, 1, { class: 'reject', code: 1, retryAfterMs: 0, detail: 'not ours' });
    bench.pool.acknowledge(connection, 2, 1);
    await eventually('acknowledged', () => device.log.ackedSeq()[2] === 1);
    expect(device.link.nacks().reject).toBe(1);
    bench.pool.pause(connection, 3, 600_000);
    bench.core.request('d1', { type: 'after.pause', key: '', timestampMs: 1, schema: 0n, payload: new Uint8Array() });
    await eventually('the pause has come', () => device.log.unsettled().length === 1);
    device.append(3, 'rests');
    device.append(1, 'goes');
    await eventually('the other lane goes on', () => bench.core.payloads('d1', 1).length === 1);
    expect(bench.core.payloads('d1', 3)).toEqual([]);
    bench.pool.pause(connection, 3, 0);
    await eventually('released', () => bench.core.payloads('d1', 3).length === 1);
  });

  it('does not answer a probe when it is stopped in its tracks', async () => {
    await using bench = await createBench();
    await using proxy = await createCountingProxy(bench.pool.port);
    const endpoint = { host: '127.0.0.1', port: proxy.port, serverName: bench.fleet.serverName };
    const device = await bench.addDevice('d1', { link: { endpoint } });
    await eventually('live', () => device.link.status().state === 'live');
    proxy.freeze();
    const { connection } = bench.core.session('d1')!.connect;
    bench.pool.probe(connection, 300);
    await eventually('given up', () => bench.core.probes.length === 1);
    expect(bench.core.probes).toEqual([{ connection, answered: false }]);
  });
});
