/** What goes into a PKCS#12: a key that is the certificate's own, and the authorities above in their order. */
import type { KeyObject } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { openPrivateKey, spkiOf } from '../inspect/describe-key.ts';
import { readMaterial } from '../inspect/material.ts';
import { describePublicKey } from '../public-key.ts';
import { readSecretFile } from '../secret-file.ts';
import type { CertificateContent } from '../x509/certificate.ts';
import { sameName } from '../x509/distinguished-name.ts';
import { readCertificates } from '../verify/verify.ts';

export interface Gathered {
  privateKey: KeyObject;
  keyKind: string;
  /** DER; the key's own first. */
  certificates: Uint8Array[];
  subjects: string[];
}

interface File {
  file: string;
  bytes: Uint8Array;
}

export async function gatherPkcs12(option: {
  keyFile: string;
  keyPassphrase?: string;
  certificate: File;
  chain: readonly File[];
}): Promise<Gathered> {
  const { keyFile, certificate, chain } = option;
  const privateKey = await readKey(keyFile, option.keyPassphrase);
  const all = [certificate, ...chain].flatMap(({ file, bytes }) => readCertificates({ source: file, bytes }));
  const leaf = all[0]!;
  if (!spkiOf(privateKey).equals(leaf.spki)) {
    throw new FlotillaError('usage', 'pki-key-mismatch', `${keyFile} is not the key of ${certificate.file}`, {
      seen: `the certificate of ${leaf.subject.text}`,
      suggestion: 'restore both files from the same backup',
    });
  }
  const ordered = order(leaf, all);
  return {
    privateKey,
    keyKind: describePublicKey(privateKey),
    certificates: ordered.map(({ der }) => der),
    subjects: ordered.map(({ subject }) => subject.text),
  };
}

async function readKey(file: string, passphrase: string | undefined): Promise<KeyObject> {
  const material = readMaterial(await readSecretFile(file), file).find(
    ({ kind }) => kind === 'private-key' || kind === 'encrypted-key',
  );
  const key = material === undefined ? undefined : await openPrivateKey(material, passphrase);
  if (key !== undefined) return key;
  if (material === undefined) {
    throw new FlotillaError('usage', 'pki-key-malformed', `${file} holds no private key`, {
      expected: 'a PEM text that starts with -----BEGIN PRIVATE KEY-----, or DER',
    });
  }
  throw new FlotillaError('usage', 'pki-passphrase-needed', `${file} is encrypted and no passphrase was given`, {
    suggestion: 'give it with --key-passphrase-file FILE',
  });
}

/** Upwards from the leaf, then what is above nobody; each once. */
function order(leaf: CertificateContent, all: readonly CertificateContent[]): CertificateContent[] {
  const rest = new Map(all.map((one) => [one.fingerprintSha256Hex, one]));
  const ordered: CertificateContent[] = [];
  let next: CertificateContent | undefined = leaf;
  while (next !== undefined) {
    const last: CertificateContent = next;
    ordered.push(last);
    rest.delete(last.fingerprintSha256Hex);
    next = [...rest.values()].find((one) => sameName(one.subject, last.issuer));
  }
  return [...ordered, ...rest.values()];
}
