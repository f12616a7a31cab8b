/** Certificates with their keys, from files: refused when the key is exposed, damaged, or another certificate's. */
import { type KeyObject, type X509Certificate, createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { parseCertificate } from './certificate.ts';
import { parsePrivateKey } from './parse-private-key.ts';
import { readSecretFile } from './secret-file.ts';
import { splitPem } from './split-pem.ts';

export interface IdentityFile {
  certificateFile: string;
  keyFile: string;
  /** Needed when the key is encrypted. */
  passphrase?: string | undefined;
}

export interface LoadedIdentity {
  certificatePem: string;
  certificate: X509Certificate;
  privateKey: KeyObject;
}

export async function loadIdentity({ certificateFile, keyFile, passphrase }: IdentityFile): Promise<LoadedIdentity> {
  const { certificatePem, certificate } = await loadCertificate(certificateFile);
  const privateKey = await loadKeyOf(certificate, { certificateFile, keyFile, passphrase });
  return { certificatePem, certificate, privateKey };
}

export async function loadCertificate(file: string): Promise<Omit<LoadedIdentity, 'privateKey'>> {
  const certificatePem = await readCertificateFile(file);
  return { certificatePem, certificate: parseCertificate(certificatePem, file) };
}

/** The private key of that certificate and of no other. */
export async function loadKeyOf(certificate: X509Certificate, file: IdentityFile): Promise<KeyObject> {
  const { certificateFile, keyFile, passphrase } = file;
  const privateKey = parsePrivateKey((await readSecretFile(keyFile)).toString('utf8'), keyFile, passphrase);
  if (createPublicKey(privateKey).equals(certificate.publicKey)) return privateKey;
  throw new FlotillaError('usage', 'pki-key-mismatch', `${keyFile} is not the key of ${certificateFile}`, {
    suggestion: 'restore both files from the same backup',
  });
}

export interface AuthorityBundle {
  pem: string;
  /** At least one, all of authorities. */
  certificates: X509Certificate[];
}

/** The authorities to trust, from one PEM file. TLS itself ignores what it can't read there, and then trusts nobody. */
export async function loadAuthorityBundle(file: string): Promise<AuthorityBundle> {
  const pem = await readCertificateFile(file);
  const certificates = splitPem(pem).map((text) => parseCertificate(text, file));
  const odd = certificates.find(({ ca }) => !ca);
  if (certificates.length > 0 && odd === undefined) return { pem, certificates };
  throw new FlotillaError('usage', 'pki-authority-malformed', `${file} holds no authority's certificate`, {
    seen: odd === undefined ? 'no certificate at all' : `the certificate of ${odd.subject.replaceAll('\n', ', ')}`,
    expected: 'the certificates of authorities, as PEM',
    suggestion: 'take the authority.crt of the fleet: pki/authority.crt, or cert sign --authority-out',
  });
}

async function readCertificateFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = systemErrorCode(error);
    throw new FlotillaError('usage', 'pki-certificate-unreadable', `${path} can't be read`, {
      ...(code === undefined ? {} : { seen: code }),
      suggestion: 'check the path; flotilla init makes the files of a fleet',
      cause: error,
    });
  }
}
