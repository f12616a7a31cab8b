/** Real TLS 1.3 between what the fleet issues and what strangers bring. */
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Authority,
  type IssuedPair,
  coordinatorServerName,
  createDeviceKeyAndCsr,
  createIssuingAuthority,
  createRootAuthority,
  formatPrivateKey,
  issueCoordinatorCertificate,
  issueDeviceCertificate,
  issueOperatorCertificate,
  parseCsr,
  parseDeviceIdentity,
} from '../../../src/pki/index.ts';

const fleetId = 'f1';

interface Fleet {
  root: Authority;
  issuing: Authority;
  coordinator: IssuedPair;
}

async function createFleet(): Promise<Fleet> {
  const root = await createRootAuthority({ fleetId });
  const issuing = await createIssuingAuthority(root);
  return { root, issuing, coordinator: await issueCoordinatorCertificate(issuing, { fleetId, hosts: ['127.0.0.1'] }) };
}

async function createDevice(
  issuing: Authority,
  option: { nowMs?: number } = {},
): Promise<{ key: string; cert: string }> {
  const { privateKeyPem, csrPem } = await createDeviceKeyAndCsr('dev-1');
  const { publicKey } = await parseCsr(csrPem);
  const request = { fleetId, deviceId: 'dev-1', publicKey, nowMs: option.nowMs ?? Date.now() };
  return { key: privateKeyPem, cert: await issueDeviceCertificate(issuing, request) };
}

let fleet: Fleet;
let stranger: Fleet; // another fleet of the same name
let server: tls.Server;
beforeAll(async () => {
  fleet = await createFleet();
  stranger = await createFleet();
  server = await listen({ ca: [fleet.issuing.certificatePem, fleet.root.certificatePem] });
});
afterAll(() => {
  server.close();
});

async function listen(option: tls.TlsOptions): Promise<tls.Server> {
  const created = tls.createServer(
    {
      cert: fleet.coordinator.certificatePem,
      key: formatPrivateKey(fleet.coordinator.privateKey),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['flotilla/1'],
      ...option,
    },
    (socket) => {
      socket.on('error', () => undefined);
      const identity = parseDeviceIdentity(socket.getPeerX509Certificate()!);
      socket.end(JSON.stringify({ deviceId: identity.deviceId, protocol: socket.getProtocol() }));
    },
  );
  created.on('tlsClientError', () => undefined);
  created.listen(0, '127.0.0.1');
  await once(created, 'listening');
  return created;
}

/** What the server said to this client, or how it was refused: a server that trusts no peer hangs up in silence. */
async function dial(target: tls.Server, option: tls.ConnectionOptions): Promise<string> {
  const socket = tls.connect({
    host: '127.0.0.1',
    port: (target.address() as AddressInfo).port,
    servername: coordinatorServerName(fleetId),
    ca: [fleet.issuing.certificatePem, fleet.root.certificatePem],
    ALPNProtocols: ['flotilla/1'],
    ...option,
  });
  let text = '';
  try {
    for await (const chunk of socket) text += String(chunk);
    return text || 'refused: hung up';
  } catch (error) {
    return `refused: ${(error as NodeJS.ErrnoException).code}`;
  } finally {
    socket.destroy();
  }
}

describe('a handshake', () => {
  it('succeeds for a device that sends its leaf alone, over TLS 1.3', async () => {
    const { key, cert } = await createDevice(fleet.issuing);
    expect(JSON.parse(await dial(server, { key, cert }))).toEqual({ deviceId: 'dev-1', protocol: 'TLSv1.3' });
  });

  it('succeeds for a device that trusts the issuing authority alone', async () => {
    const { key, cert } = await createDevice(fleet.issuing);
    const anchor = { ca: [fleet.issuing.certificatePem], allowPartialTrustChain: true };
    expect(JSON.parse(await dial(server, { key, cert, ...anchor }))).toMatchObject({ deviceId: 'dev-1' });
  });

  it('is refused without a certificate', async () => {
    expect(await dial(server, {})).toMatch(/^refused: /);
  });

  it('is refused for a device of a stranger whose authorities have the same names', async () => {
    expect(await dial(server, await createDevice(stranger.issuing))).toMatch(/^refused: /);
  });

  it('is refused for an expired device', async () => {
    expect(await dial(server, await createDevice(fleet.issuing, { nowMs: Date.UTC(2020, 0, 1) }))).toMatch(
      /^refused: /,
    );
  });

  it('is refused by the device when the server is a stranger', async () => {
    await using impostor = await listen({
      cert: stranger.coordinator.certificatePem,
      key: formatPrivateKey(stranger.coordinator.privateKey),
    });
    expect(await dial(impostor, await createDevice(fleet.issuing))).toMatch(/^refused: /);
  });

  it('is refused by the device when another device poses as the coordinator', async () => {
    const thief = await createDevice(fleet.issuing);
    await using impostor = await listen(thief);
    expect(await dial(impostor, await createDevice(fleet.issuing))).toMatch(/^refused: /);
  });

  it('gives an operator no device identity', async () => {
    const operator = await issueOperatorCertificate(fleet.issuing, {
      fleetId,
      name: 'ada',
      role: 'admin',
      nowMs: Date.now(),
    });
    await using picky = tls.createServer({
      cert: fleet.coordinator.certificatePem,
      key: formatPrivateKey(fleet.coordinator.privateKey),
      ca: [fleet.issuing.certificatePem, fleet.root.certificatePem],
      requestCert: true,
    });
    picky.on('secureConnection', (socket: tls.TLSSocket) => {
      try {
        socket.end(parseDeviceIdentity(socket.getPeerX509Certificate()!).deviceId);
      } catch (error) {
        socket.end((error as { code: string }).code);
      }
    });
    picky.listen(0, '127.0.0.1');
    await once(picky, 'listening');
    const said = await dial(picky, { cert: operator.certificatePem, key: formatPrivateKey(operator.privateKey) });
    expect(said).toBe('pki-not-a-device');
  });
});
