import 'reflect-metadata';
import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import { createDeviceKeyAndCsr } from '../../../src/pki/create-csr.ts';
import { parseCsr } from '../../../src/pki/csr.ts';
import { formatPem } from '../../../src/pki/key.ts';

const derOf = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const code = (value: string) => expect.objectContaining({ name: 'FlotillaError', code: value });

async function rsaCsr(modulusLength: number, hash: string): Promise<string> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash };
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['dev-1'] }],
    keys: {
      privateKey: privateKey.toCryptoKey(algorithm, false, ['sign']),
      publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
    },
    signingAlgorithm: algorithm,
  });
  return request.toString('pem');
}

async function ecCsr(namedCurve: string): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['dev-1'] }],
    keys: {
      privateKey: privateKey.toCryptoKey(algorithm, false, ['sign']),
      publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
    },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return request.toString('pem');
}

describe('a signing request', () => {
  it('made for a device is read back, with the public half of its key', async () => {
    const { privateKeyPem, csrPem } = await createDeviceKeyAndCsr('dev-1');
    const { publicKey, keyKind, commonName } = await parseCsr(csrPem);
    expect({ keyKind, commonName }).toEqual({ keyKind: 'EC P-256', commonName: 'dev-1' });
    expect(createPublicKey(createPrivateKey(privateKeyPem)).equals(publicKey)).toBe(true);
    expect(csrPem).not.toContain('PRIVATE');
  });

  it('may be of RSA 2048 or EC P-384', async () => {
    expect((await parseCsr(await rsaCsr(2048, 'SHA-256'))).keyKind).toBe('RSA 2048');
    expect((await parseCsr(await ecCsr('P-384'))).keyKind).toBe('EC P-384');
  });

  it('is refused for RSA 1024 and EC P-521', async () => {
    await expect(parseCsr(await rsaCsr(1024, 'SHA-256'))).rejects.toEqual(code('pki-weak-key'));
    await expect(parseCsr(await ecCsr('P-521'))).rejects.toEqual(code('pki-weak-key'));
  });

  it('is refused when it is signed with SHA-1', async () => {
    await expect(parseCsr(await rsaCsr(2048, 'SHA-1'))).rejects.toEqual(code('pki-csr-signature'));
  });

  it('is refused when its signature is of another key', async () => {
    const [mine, theirs] = [await createDeviceKeyAndCsr('dev-1'), await createDeviceKeyAndCsr('dev-1')];
    const der = derOf(mine.csrPem);
    const at = der.indexOf(rawPointOf(mine.privateKeyPem));
    expect(at).toBeGreaterThan(0);
    rawPointOf(theirs.privateKeyPem).copy(der, at);
    await expect(parseCsr(formatPem('CERTIFICATE REQUEST', der))).rejects.toEqual(code('pki-csr-signature'));
  });

  it('of more than 16 KiB is refused before it is looked at', async () => {
    await expect(parseCsr('A'.repeat(16 * 1024 + 1))).rejects.toEqual(code('pki-csr-malformed'));
  });

  it('with any bit flipped is refused or proves the same key', async () => {
    const { csrPem } = await createDeviceKeyAndCsr('dev-1');
    const der = derOf(csrPem);
    const { publicKey } = await parseCsr(csrPem);
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length * 8 - 1), async (bit) => {
        const mutant = Buffer.from(der);
        mutant[bit >> 3]! ^= 1 << (bit & 7);
        const outcome = await parseCsr(formatPem('CERTIFICATE REQUEST', mutant)).catch((error: unknown) => error);
        if (outcome instanceof FlotillaError) return true;
        // Only what no signature covers may differ: never the key or the name.
        const parsed = outcome as Awaited<ReturnType<typeof parseCsr>>;
        return publicKey.equals(parsed.publicKey) && parsed.commonName === 'dev-1';
      }),
      { numRuns: 200 },
    );
  });

  it('that is no request at all is refused, whatever it is', async () => {
    const inputs = fc.oneof(
      fc.string(),
      fc.uint8Array({ maxLength: 400 }).map((bytes) => formatPem('CERTIFICATE REQUEST', bytes)),
    );
    await fc.assert(
      fc.asyncProperty(inputs, async (text) => {
        await expect(parseCsr(text)).rejects.toBeInstanceOf(FlotillaError);
      }),
    );
  });

  it('is not a certificate', async () => {
    const { csrPem } = await createDeviceKeyAndCsr('dev-1');
    expect(() => new X509Certificate(csrPem)).toThrow();
  });
});

function rawPointOf(privateKeyPem: string): Buffer {
  return createPublicKey(createPrivateKey(privateKeyPem)).export({ type: 'spki', format: 'der' }).subarray(-65);
}
