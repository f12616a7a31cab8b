/**
 * The recovery port, held against everybody who must not get a certificate there. The peers are real TLS clients; the
 * process that listens is the real one; what the core is asked is written down.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AskDocument } from '../../../src/coordinator/recovery/ipc.ts';
import {
  startRecoveryPort,
  type AnswerBody,
  type RecoveryPort,
} from '../../../src/coordinator/recovery/recovery-port.ts';
import { createLog } from '../../../src/log.ts';
import { authorityDer, splitCertificates } from '../../../src/pki/authority-bundle.ts';
import { encodeCsr } from '../../../src/pki/create-csr.ts';
import {
  createIssuingAuthority,
  createKey,
  createRootAuthority,
  formatPrivateKey,
  issueDeviceCertificate,
  issueOperatorCertificate,
  parseCertificate,
  parsePrivateKey,
  type Authority,
} from '../../../src/pki/index.ts';
import { dialRecovery } from '../../../src/transport/recovery-dialer.ts';
import { eventually } from '../../support/eventually.ts';
import { createCertifiedFleet, type DevicePems, type Fleet } from '../../support/link-bench.ts';

const dayMs = 86_400_000;
const entry = join(import.meta.dirname, '..', '..', '..', 'src', 'bin', 'recovery.ts');

let fleet: Fleet;
let port: RecoveryPort;
let logFile = '';
let newKey: KeyObject;
const asked: Omit<AskDocument, 'id'>[] = [];
let answer: AnswerBody = { kind: 'refused' };

beforeAll(async () => {
  fleet = await createCertifiedFleet();
  newKey = await createKey();
  logFile = join(fleet.directory, 'recovery.log');
  const [issuing, root] = splitCertificates(fleet.authorityPem);
  port = await startRecoveryPort({
    entry,
    listen: { host: '127.0.0.1', port: 0 },
    fleetId: fleet.fleetId,
    tls: fleet.tls,
    trust: { roots: [String(root)], issuing: [{ id: 'issuing-1', pem: String(issuing) }] },
    maxExpiredMs: 30 * dayMs,
    log: createLog({ name: 'core', level: 'silent' }),
    logLevel: 'info',
    logDestination: logFile,
    ask: async (question) => {
      asked.push(question);
      return answer;
    },
  });
});
afterAll(async () => {
  await port?.stop();
  await fleet?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  asked.length = 0;
  answer = { kind: 'refused' };
});

/** A certificate that ended so many days ago, of a life of ten. */
const expired = (id: string, daysAgo = 1, issuing?: Authority): Promise<DevicePems> =>
  fleet.device(id, {
    nowMs: Date.now() - (10 + daysAgo) * dayMs,
    validityDays: 10,
    ...(issuing === undefined ? {} : { issuing }),
  });

const dial = (pems: DevicePems, id = 'd1') =>
  dialRecovery({
    host: '127.0.0.1',
    port: port.port,
    serverName: fleet.serverName,
    ...pems,
    csr: encodeCsr(id, newKey),
    timeoutMs: 10_000,
  });

async function reasons(): Promise<string[]> {
  const text = await readFile(logFile, 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { msg: string; reason?: string; detail?: string });
  return rows.filter(({ msg }) => msg === 'recovery refused').map(({ reason, detail = '' }) => `${reason}: ${detail}`);
}

/** Refused: the peer learns one byte, the log the reason, the core nothing. */
async function expectRefused(pems: DevicePems, reason: RegExp): Promise<void> {
  expect(await dial(pems)).toEqual({ kind: 'refused' });
  expect(asked).toEqual([]);
  await eventually(`the log says ${reason}`, async () => reason.test((await reasons()).at(-1) ?? ''));
}

describe('the recovery port', () => {
  it('asks the core for a device whose certificate has ended, and hands its answer over', async () => {
    const pems = await expired('d1');
    const next = await fleet.device('d1');
    const authorities = authorityDer(fleet.authorityPem);
    const certificate = parseCertificate(next.certificatePem).raw;
    answer = {
      kind: 'issued',
      certificate: certificate.toString('base64'),
      authorities: authorities.map((der) => der.toString('base64')),
    };
    const got = await dial(pems);
    expect(got).toMatchObject({ kind: 'issued' });
    if (got.kind !== 'issued') return;
    expect(Buffer.from(got.certificate).equals(certificate)).toBe(true);
    expect(got.authorities.map((one) => Buffer.from(one).toString('hex'))).toEqual(
      authorities.map((der) => der.toString('hex')),
    );
    expect(asked).toMatchObject([{ identity: { deviceId: 'd1', fleetId: fleet.fleetId, authority: 'issuing-1' } }]);
    expect(Buffer.from(asked[0]!.csr, 'base64').length).toBeGreaterThan(100);
  });

  it('passes on that it is too early', async () => {
    answer = { kind: 'later', retryAfterSeconds: 77 };
    expect(await dial(await expired('d1'))).toEqual({ kind: 'later', retryAfterSeconds: 77 });
  });

  it('sends a device whose certificate still holds to the port of the link', async () => {
    expect(await dial(await fleet.device('d1'))).toEqual({ kind: 'not-expired' });
    expect(asked).toEqual([]);
  });

  it('refuses a stranger who has expired, whose error OpenSSL gives the same name', async () => {
    const root = await createRootAuthority({ fleetId: fleet.fleetId });
    const stranger = await createIssuingAuthority(root);
    await expectRefused(await expired('d1', 1, stranger), /^unknown-authority/);
  });

  it('refuses a stranger who signs himself as the fleet does, by the same names', async () => {
    const root = await createRootAuthority({ fleetId: fleet.fleetId });
    const stranger = { ...(await createIssuingAuthority(root)), fleetId: fleet.fleetId };
    expect(stranger.commonName).toBe(fleet.issuing.commonName);
    const pems = await expired('d1', 1, stranger);
    await expectRefused(
      { ...pems, certificatePem: pems.certificatePem + stranger.certificatePem },
      /^unknown-authority/,
    );
  });

  it('refuses a certificate of ours for another use, expired', async () => {
    const { certificatePem, privateKey } = await issueOperatorCertificate(fleet.issuing, {
      fleetId: fleet.fleetId,
      name: 'anna',
      role: 'admin',
      nowMs: Date.now() - 20 * dayMs,
      validityDays: 10,
    });
    const pems = { certificatePem, keyPem: formatPrivateKey(privateKey), authorityPem: fleet.authorityPem };
    await expectRefused(pems, /^no-device-identity.*operator/);
    const server = {
      keyPem: await readFile(fleet.tls.keyFile, 'utf8'),
      certificatePem: await readFile(fleet.tls.certificateFile, 'utf8'),
      authorityPem: fleet.authorityPem,
    };
    await expectRefused(server, /^no-device-identity/);
  });

  it('refuses what ended too long ago', async () => {
    await expectRefused(await expired('d1', 31), /^expired-too-long/);
    expect((await dial(await expired('d1', 29))).kind).toBe('refused'); // by the core, which was asked
    expect(asked).toHaveLength(1);
  });

  it('refuses a peer without a certificate, without ALPN, with TLS 1.2, and one that says nothing', async () => {
    const pems = await expired('d1');
    const bare = {
      host: '127.0.0.1',
      port: port.port,
      rejectUnauthorized: false,
      ALPNProtocols: ['flotilla-recovery/1'],
    };
    const own = { key: pems.keyPem, cert: pems.certificatePem };
    const closed = (option: object) =>
      new Promise<Buffer>((resolve) => {
        const heard: Buffer[] = [];
        const socket = connect({ ...bare, ...option });
        socket.on('data', (chunk) => heard.push(chunk));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(Buffer.concat(heard)));
      });
    expect(await closed({})).toHaveLength(0);
    await eventually('no certificate', async () => (await reasons()).at(-1)?.startsWith('no-certificate'));
    expect(await closed({ ...own, ALPNProtocols: [] })).toHaveLength(0);
    await eventually('no ALPN', async () => (await reasons()).at(-1)?.startsWith('alpn'));
    expect(await closed({ ...own, ALPNProtocols: ['flotilla/1'] })).toHaveLength(0);
    expect(await closed({ ...own, maxVersion: 'TLSv1.2' })).toHaveLength(0);
    await eventually('TLS 1.2', async () => (await reasons()).at(-1)?.startsWith('handshake-failed'));
    expect(asked).toEqual([]);
  });

  it('ends a conversation that is no question, and bounds it before it is kept', async () => {
    const pems = await expired('d1');
    const say = (bytes: Uint8Array) =>
      new Promise<string>((resolve) => {
        const socket = connect({
          host: '127.0.0.1',
          port: port.port,
          rejectUnauthorized: false,
          key: pems.keyPem,
          cert: pems.certificatePem,
          ALPNProtocols: ['flotilla-recovery/1'],
        });
        socket.once('secureConnect', () => socket.write(bytes));
        socket.on('data', () => undefined);
        socket.on('error', () => undefined);
        socket.on('close', () => resolve('closed'));
      });
    expect(await say(Buffer.from([0xff, 0xff]))).toBe('closed');
    await eventually('too long', async () => (await reasons()).at(-1)?.startsWith('question-malformed'));
    expect(await say(Buffer.alloc(10_000))).toBe('closed');
    expect(await say(Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'))).toBe('closed');
    expect(asked).toEqual([]);
  });

  it('comes back when its process is killed, on the same port', async () => {
    const { pid } = port;
    process.kill(pid!, 'SIGKILL');
    answer = { kind: 'later', retryAfterSeconds: 1 };
    const pems = await expired('d1');
    await eventually('it answers again', async () => (await dial(pems)).kind === 'later');
    expect(port.pid).not.toBe(pid);
  });

  it('takes a certificate of a retired authority as ended, whatever stands in it', async () => {
    const [issuing, root] = splitCertificates(fleet.authorityPem);
    const trust = { roots: [String(root)], issuing: [{ id: 'issuing-1', pem: String(issuing) }] };
    answer = { kind: 'later', retryAfterSeconds: 5 };
    const pems = await fleet.device('d1');
    port.setTrust({ ...trust, issuing: [{ ...trust.issuing[0]!, retiredAtMs: Date.now() - 1_000 }] });
    await eventually('it is taken', async () => (await dial(pems)).kind === 'later');
    port.setTrust({ ...trust, issuing: [{ ...trust.issuing[0]!, retiredAtMs: Date.now() - 31 * dayMs }] });
    await eventually('it is too late', async () => (await dial(pems)).kind === 'refused');
    port.setTrust(trust);
    await eventually('it still holds', async () => (await dial(pems)).kind === 'not-expired');
  });

  it('is not deceived by a chain that ends in a certificate of our own device', async () => {
    const device = await fleet.device('evil');
    const key = await createKey();
    const certificatePem = await issueDeviceCertificate(
      { fleetId: fleet.fleetId, commonName: 'evil', certificatePem: device.certificatePem, privateKey: keyOf(device) },
      {
        fleetId: fleet.fleetId,
        deviceId: 'd1',
        publicKey: createPublicKey(key),
        nowMs: Date.now() - 20 * dayMs,
        validityDays: 10,
      },
    );
    const pems = { certificatePem: certificatePem + device.certificatePem, keyPem: formatPrivateKey(key) };
    await expectRefused({ ...pems, authorityPem: fleet.authorityPem }, /^unknown-authority/);
  });
});

function keyOf({ keyPem }: DevicePems): KeyObject {
  return parsePrivateKey(keyPem, 'the device key');
}
