import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  createIssuingAuthority,
  createRootAuthority,
  createTimeSigner,
  coordinatorServerName,
  issueCoordinatorCertificate,
  issueOperatorCertificate,
  parseTimeResets,
  signTimeReset,
  verifyTimeReset,
  verifyTimeStatement,
  type Authority,
  type IssuedPair,
  type TimeStatement,
} from '../../../src/pki/index.ts';

const fleetId = 'harbour';
const subject = { fleetId, deviceId: 'gw-1', nonce: '00112233445566778899aabbccddeeff' };
const serverName = coordinatorServerName(fleetId);
const timeMs = Date.UTC(2026, 10, 26);
let root: Authority;
let issuing: Authority;
let own: IssuedPair;
let roots: X509Certificate[];

beforeAll(async () => {
  root = await createRootAuthority({ fleetId });
  issuing = await createIssuingAuthority(root);
  own = await issueCoordinatorCertificate(issuing, { fleetId, hosts: [] });
  roots = [new X509Certificate(root.certificatePem)];
});

const signer = (pair: IssuedPair = own, issuer = issuing.certificatePem) =>
  createTimeSigner(pair.privateKey, [pair.certificatePem, issuer]);
const verify = (statement: TimeStatement, more: object = {}) =>
  verifyTimeStatement(statement, { subject, serverName, roots, ...more });

describe('a time statement', () => {
  it('is found good up to the root, and small when its signer is known', () => {
    const first = signer().sign(subject, timeMs);
    const { timeMs: told, chain } = verify(first);
    expect(told).toBe(timeMs);
    const later = signer().sign(subject, timeMs + 1, first.signer);
    expect(later.chain).toBeUndefined();
    expect(JSON.stringify(later).length).toBeLessThan(280);
    expect(verify(later, { knownChain: chain }).timeMs).toBe(timeMs + 1);
    expect(() => verify(later)).toThrow('its signer was never shown');
  });

  it('is for one device, one question, one fleet, and says one time', () => {
    const statement = signer().sign(subject, timeMs);
    expect(() => verify(statement, { subject: { ...subject, nonce: 'ff' } })).toThrow('another question');
    expect(() => verify(statement, { subject: { ...subject, deviceId: 'gw-2' } })).toThrow('signature does not fit');
    expect(() => verify(statement, { subject: { ...subject, fleetId: 'x' } })).toThrow('signature does not fit');
    expect(() => verify({ ...statement, timeMs: timeMs + 1 })).toThrow('signature does not fit');
    for (const signature of ['', 'AAAA', 'A'.repeat(86), `${statement.signature}AA`]) {
      expect(() => verify({ ...statement, signature })).toThrow('signature does not fit');
    }
  });

  it('is refused from anybody who is not the coordinator, or whose chain does not reach this root', async () => {
    const operator = await issueOperatorCertificate(issuing, {
      fleetId,
      name: 'anna',
      role: 'admin',
      nowMs: timeMs,
    });
    expect(() => verify(signer(operator).sign(subject, timeMs))).toThrow(`its signer is not ${serverName}`);
    const asAuthority = createTimeSigner(issuing.privateKey, [issuing.certificatePem]);
    expect(() => verify(asAuthority.sign(subject, timeMs))).toThrow('its signer is not');
    const otherRoot = await createRootAuthority({ fleetId });
    const otherIssuing = await createIssuingAuthority(otherRoot);
    const other = await issueCoordinatorCertificate(otherIssuing, { fleetId, hosts: [] });
    const theirs = createTimeSigner(other.privateKey, [other.certificatePem, otherIssuing.certificatePem]);
    expect(() => verify(theirs.sign(subject, timeMs))).toThrow('its chain does not reach a root');
    // Their own root in the chain does not help, nor our issuing authority under their leaf.
    const withRoot = createTimeSigner(other.privateKey, [
      other.certificatePem,
      otherIssuing.certificatePem,
      otherRoot.certificatePem,
    ]);
    expect(() => verify(withRoot.sign(subject, timeMs))).toThrow('its chain does not reach a root');
    const mixed = createTimeSigner(other.privateKey, [other.certificatePem, issuing.certificatePem]);
    expect(() => verify(mixed.sign(subject, timeMs))).toThrow('its chain is broken');
    const statement = signer().sign(subject, timeMs);
    expect(() => verify({ ...statement, signer: '0'.repeat(64) })).toThrow('its chain is of another signer');
    expect(() => verify({ ...statement, chain: ['AAAA'] })).toThrow('malformed');
    expect(() => verify({ ...statement, chain: Array.from({ length: 5 }, () => statement.chain![0]!) })).toThrow(
      '5 cert',
    );
    expect(() => verify({ ...statement, chain: [statement.chain![0]!] })).toThrow('does not reach a root');
  });
});

describe('a time reset', () => {
  const order = { fleetId, deviceId: 'gw-1', timeMs, expiresAtMs: timeMs + 1 };

  it('is good under the root that signed it, unchanged', () => {
    const reset = signTimeReset(root.privateKey, order);
    expect(() => verifyTimeReset(reset, roots)).not.toThrow();
    const changes = [{ deviceId: 'gw-2' }, { fleetId: 'x' }, { timeMs: 0 }, { expiresAtMs: 0 }, { signature: 'AA' }];
    for (const change of changes) expect(() => verifyTimeReset({ ...reset, ...change }, roots)).toThrow('not signed');
    expect(() => verifyTimeReset(reset, [])).toThrow('not signed');
    expect(() => verifyTimeReset(signTimeReset(issuing.privateKey, order), roots)).toThrow('not signed');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(() =>
      verifyTimeReset(
        signTimeReset(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })), order),
        roots,
      ),
    ).toThrow('not signed');
  });

  it('is read from a file of lines, or the file is refused', () => {
    const line = JSON.stringify(signTimeReset(root.privateKey, order));
    expect(parseTimeResets(`${line}\n${line}\n`, 'f')).toHaveLength(2);
    for (const text of ['', '\n', '{}', 'x', `${line}\n[]`, line.replace('"gw-1"', '"GW 1"'), '"a"', 'null']) {
      expect(() => parseTimeResets(text, 'f')).toThrow('holds no time resets');
    }
  });
});
