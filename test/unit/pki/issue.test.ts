import { beforeAll, describe, expect, it } from 'vitest';
import { generateKeyPairSync } from 'node:crypto';
import { createIssuingAuthority, createRootAuthority } from '../../../src/pki/authority.ts';
import { describeCertificate, parseCertificate } from '../../../src/pki/certificate.ts';
import {
  type Authority,
  issueCoordinatorCertificate,
  issueDeviceCertificate,
  issueOperatorCertificate,
} from '../../../src/pki/issue.ts';
import { FlotillaError } from '../../../src/error.ts';

const nowMs = Date.UTC(2026, 0, 1);
let issuing: Authority;
beforeAll(async () => {
  issuing = await createIssuingAuthority(await createRootAuthority({ fleetId: 'f1' }));
});

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const device = { fleetId: 'f1', deviceId: 'dev-1', publicKey, nowMs };
const code = (value: string) => expect.objectContaining({ name: 'FlotillaError', code: value });

describe('issuing', () => {
  it('describes each kind of certificate in plain fields', async () => {
    const root = await createRootAuthority({ fleetId: 'f1' });
    const coordinator = await issueCoordinatorCertificate(issuing, { fleetId: 'f1', hosts: ['localhost', '::1'] });
    const operator = await issueOperatorCertificate(issuing, { fleetId: 'f1', name: 'ada', role: 'viewer', nowMs });
    expect(describeCertificate(root.certificatePem)).toMatchObject({ kind: 'root', fleetId: 'f1' });
    expect(describeCertificate(issuing.certificatePem)).toMatchObject({
      kind: 'issuing',
      issuer: 'CN=f1 root authority',
      notBefore: '1970-01-01T00:00:00.000Z',
      notAfter: '9999-12-31T23:59:59.000Z',
    });
    expect(describeCertificate(coordinator.certificatePem)).toMatchObject({
      kind: 'coordinator',
      subjectAltNames: ['DNS:coordinator.f1.flotilla', 'DNS:localhost', 'IP Address:0:0:0:0:0:0:0:1'],
      extendedKeyUsage: ['serverAuth'],
    });
    expect(describeCertificate(operator.certificatePem)).toMatchObject({
      kind: 'operator',
      operator: { name: 'ada', role: 'viewer' },
      extendedKeyUsage: ['clientAuth'],
    });
    expect(describeCertificate(await issueDeviceCertificate(issuing, device))).toMatchObject({
      kind: 'device',
      fleetId: 'f1',
      deviceId: 'dev-1',
      publicKey: 'EC P-256',
      notBefore: '2025-12-31T23:55:00.000Z',
      notAfter: '2027-01-01T00:00:00.000Z',
    });
  });

  it('gives every certificate a serial number of 128 bits of its own', async () => {
    const pems = await Promise.all(Array.from({ length: 64 }, () => issueDeviceCertificate(issuing, device)));
    const serials = pems.map((pem) => describeCertificate(pem).serialHex);
    expect(new Set(serials).size).toBe(64);
    for (const serial of serials) expect(serial).toMatch(/^[0-9a-f]{32}$/);
  });

  it('refuses for another fleet, a weak key, a bad id, a bad host and a life without end', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    await expect(issueDeviceCertificate(issuing, { ...device, fleetId: 'f2' })).rejects.toEqual(
      code('pki-other-fleet'),
    );
    await expect(issueDeviceCertificate(issuing, { ...device, publicKey: weak })).rejects.toEqual(code('pki-weak-key'));
    await expect(issueDeviceCertificate(issuing, { ...device, deviceId: '../x' })).rejects.toEqual(
      code('pki-device-id'),
    );
    for (const validityDays of [0, -1, Number.NaN, 1e9]) {
      await expect(issueDeviceCertificate(issuing, { ...device, validityDays })).rejects.toEqual(code('pki-validity'));
    }
    await expect(issueCoordinatorCertificate(issuing, { fleetId: 'f1', hosts: ['a b'] })).rejects.toEqual(
      code('pki-host'),
    );
    const operator = { fleetId: 'f1', name: 'Ada L', role: 'viewer', nowMs } as const;
    await expect(issueOperatorCertificate(issuing, operator)).rejects.toEqual(code('pki-operator-name'));
  });

  it('does not read what is no certificate', () => {
    expect(() => parseCertificate('nonsense')).toThrow(FlotillaError);
    expect(() => parseCertificate('x'.repeat(70_000))).toThrow(code('pki-certificate-too-large') as Error);
  });
});
