/** Authorities that may give some names only: we refuse what OpenSSL would refuse, and nothing that it accepts. */
import { createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import {
  createAuthorityCsr,
  createKey,
  createRootAuthority,
  decodeNameConstraint,
  encodeNameConstraint,
  issueCoordinatorCertificate,
  issueDeviceCertificate,
  parseAuthorityCsr,
  readNameConstraint,
  signAuthorityCsr,
  type Authority,
  type NameConstraint,
} from '../../../src/pki/index.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const fleetId = 'f1';
const nameConstraint: NameConstraint = { permittedDns: ['f1.flotilla', 'example.org'], permittedUri: ['f1'] };

async function constrained(): Promise<{ root: Authority; issuing: Authority }> {
  const root = await createRootAuthority({ fleetId });
  const privateKey = await createKey();
  const request = await parseAuthorityCsr(await createAuthorityCsr(privateKey, { fleetId, number: 2, nameConstraint }));
  const certificatePem = await signAuthorityCsr(root, request);
  return { root, issuing: { fleetId, commonName: 'f1 issuing authority 2', certificatePem, privateKey } };
}

describe('name constraints', () => {
  it('travel in the request and stand in the certificate', async () => {
    const { issuing } = await constrained();
    expect(readNameConstraint(issuing.certificatePem)).toEqual(nameConstraint);
    expect(decodeNameConstraint(encodeNameConstraint(nameConstraint))).toEqual(nameConstraint);
    for (const bad of ['', '3000', '30023000', 'ffff', '3003a10100']) {
      expect(decodeNameConstraint(Buffer.from(bad, 'hex'))).toBeUndefined();
    }
  });

  it('are held at issue: what OpenSSL would not accept is not made', async () => {
    const { root, issuing } = await constrained();
    await using scratch = await temporaryDirectory();
    const at = (name: string) => join(scratch.path, name);
    await writeFile(at('root.crt'), root.certificatePem);
    await writeFile(at('issuing.crt'), issuing.certificatePem);
    const openssl = hasTools('name constraints, judged by OpenSSL', 'openssl');
    const accepted = async (pem: string, purpose: string) => {
      await writeFile(at('leaf.crt'), pem);
      const chain = ['-x509_strict', '-CAfile', 'root.crt', '-untrusted', 'issuing.crt'];
      const args = ['verify', ...chain, '-purpose', purpose, 'leaf.crt'];
      return (await execa('openssl', args, { cwd: scratch.path, reject: false })).exitCode === 0;
    };
    const device = async (deviceId: string, names: string[] = []) =>
      issueDeviceCertificate(issuing, {
        fleetId,
        deviceId,
        publicKey: createPublicKey(await createKey()),
        nowMs: Date.now(),
        names,
      });
    const good = [await device('d-1'), await device('d-1', ['DNS:d-1.example.org', 'IP:192.0.2.7'])];
    const coordinator = await issueCoordinatorCertificate(issuing, { fleetId, hosts: ['a.example.org', '192.0.2.1'] });
    if (openssl) {
      for (const pem of good) expect(await accepted(pem, 'sslclient')).toBe(true);
      expect(await accepted(coordinator.certificatePem, 'sslserver')).toBe(true);
    }
    const refused = expect.objectContaining({ code: 'pki-name-constraint' });
    await expect(device('d-1', ['DNS:d-1.example.net'])).rejects.toEqual(refused);
    await expect(device('d-1.site')).rejects.toEqual(refused); // a verifier reads such a CN as a DNS name
    await expect(issueCoordinatorCertificate(issuing, { fleetId, hosts: ['localhost'] })).rejects.toEqual(refused);
    if (!openssl) return;
    // The same without our check: an authority that does not know its own constraint.
    const careless = { ...issuing, certificatePem: root.certificatePem };
    const option = { fleetId, publicKey: createPublicKey(await createKey()), nowMs: Date.now() };
    for (const one of [{ deviceId: 'd-1', names: ['DNS:d-1.example.net'] }, { deviceId: 'd-1.site' }]) {
      expect(await accepted(await issueDeviceCertificate(careless, { ...option, ...one }), 'sslclient')).toBe(false);
    }
  });
});
