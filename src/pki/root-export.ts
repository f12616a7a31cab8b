/**
 * The root authority as one file that travels: a few words for whoever finds it, its certificate, its key encrypted by
 * the passphrase. Ordinary PEM blocks: `openssl x509` and `openssl pkey` read it, too.
 */
import { X509Certificate, createPublicKey } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { parseCertificate } from './certificate.ts';
import type { Authority } from './issue.ts';
import { encryptPrivateKey } from './key.ts';
import { parsePrivateKey } from './parse-private-key.ts';
import { parseAuthorityName } from './profile.ts';
import { readSecretFile } from './secret-file.ts';
import { splitPem } from './split-pem.ts';

const keyPattern = /-----BEGIN ENCRYPTED PRIVATE KEY-----[\s\S]*?-----END ENCRYPTED PRIVATE KEY-----/g;

/** The text of the file; decrypted once more before it is given away. */
export async function formatRootExport(root: Authority, passphrase: string, nowMs: number): Promise<string> {
  const keyPem = await encryptPrivateKey(root.privateKey, passphrase);
  const text =
    `Root authority of the fleet ${root.fleetId}, exported on ${new Date(nowMs).toISOString()}.\n` +
    `Keep it off the machines that run the fleet. With its passphrase it signs issuing authorities:\n` +
    `flotilla ca rotate --root FILE, flotilla ca sign-issuing REQUEST --root FILE, flotilla ca attach FILE.\n\n` +
    `${root.certificatePem}${keyPem}`;
  parseRootExport(text, passphrase, 'the export');
  return text;
}

/** @throws FlotillaError: no export, another passphrase, a key of another certificate */
export function parseRootExport(text: string, passphrase: string, source: string): Authority {
  const certificates = splitPem(text);
  const keys = text.match(keyPattern) ?? [];
  const [certificatePem] = certificates;
  const [keyPem] = keys;
  if (certificatePem === undefined || certificates.length > 1 || keyPem === undefined || keys.length > 1) {
    throw new FlotillaError('usage', 'root-export-malformed', `${source} is no exported root authority`, {
      seen: `${certificates.length} certificates, ${keys.length} encrypted keys`,
      expected: 'one of each, as flotilla ca export-root writes them',
    });
  }
  const certificate = parseCertificate(certificatePem, source);
  const name = parseAuthorityName(certificate.subject);
  if (name?.kind !== 'root' || !certificate.ca) {
    throw new FlotillaError('usage', 'pki-not-an-authority', `${source} is no root authority`, {
      seen: certificate.subject.replaceAll('\n', ', ').slice(0, 120),
      expected: 'CN="<fleet> root authority"',
    });
  }
  const privateKey = parsePrivateKey(keyPem, source, passphrase);
  if (!createPublicKey(privateKey).equals(certificate.publicKey)) {
    throw new FlotillaError('usage', 'pki-key-mismatch', `the key in ${source} is not the key of its certificate`, {
      suggestion: 'take another copy of the export',
    });
  }
  return { fleetId: name.fleetId, commonName: certificate.subject.slice('CN='.length), certificatePem, privateKey };
}

export async function readRootExport(file: string, passphrase: string): Promise<Authority> {
  return parseRootExport((await readSecretFile(file)).toString('utf8'), passphrase, file);
}

/** The encrypted key of an export, as `pki/root.key.enc` holds it. */
export function keyOfExport(text: string): string {
  return `${text.match(keyPattern)?.[0] ?? ''}\n`;
}

/** Refuses the root of another fleet, or another root of this one. */
export function requireSameRoot(root: Authority, expectedPem: string, source: string): void {
  const [seen, expected] = [root.certificatePem, expectedPem].map((pem) => new X509Certificate(pem));
  if (seen!.fingerprint256 === expected!.fingerprint256) return;
  throw new FlotillaError('refused', 'root-other', `${source} is not the root of this fleet`, {
    seen: `${seen!.subject}, ${seen!.fingerprint256}`,
    expected: `${expected!.subject}, ${expected!.fingerprint256}`,
  });
}
