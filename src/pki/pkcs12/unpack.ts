/** What comes out of a PKCS#12, as PEM texts: keys with their certificates, and the rest as authorities. */
import type { KeyObject } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { openPrivateKey, spkiOf } from '../inspect/describe-key.ts';
import { formatPem, formatPrivateKey } from '../key.ts';
import { describePublicKey } from '../public-key.ts';
import { type CertificateContent, decodeCertificate } from '../x509/certificate.ts';
import { openPkcs12, readPkcs12Shell } from './read-pkcs12.ts';

export interface Unpacked {
  identities: { key: KeyObject; keyKind: string; keyPem: string; certificatePem?: string; subject?: string }[];
  /** Of no key of the file. */
  authorities: { pem: string; subject: string }[];
}

export async function unpackPkcs12(bytes: Uint8Array, passphrase: string, source: string): Promise<Unpacked> {
  const content = await openPkcs12(readPkcs12Shell(bytes, source), passphrase, source);
  const certificates = content.certificates.map(({ der }) => decodeCertificate(der, `a certificate of ${source}`));
  const used = new Set<CertificateContent>();
  const identities: Unpacked['identities'] = [];
  for (const { der } of content.keys) {
    const material = { kind: 'private-key', encoding: 'DER', der, thing: `a key of ${source}` } as const;
    const key = (await openPrivateKey(material)) as KeyObject;
    const spki = spkiOf(key);
    const own = certificates.find((one) => spki.equals(one.spki));
    if (own !== undefined) used.add(own);
    identities.push({
      key,
      keyKind: describePublicKey(key),
      keyPem: formatPrivateKey(key),
      ...(own === undefined ? {} : { certificatePem: toPem(own), subject: own.subject.text }),
    });
  }
  if (identities.length === 0 && certificates.length === 0) {
    throw new FlotillaError('usage', 'pki-pkcs12-empty', `${source} holds no key and no certificate`, {
      suggestion: 'check the path',
    });
  }
  const others = certificates.filter((one) => !used.has(one));
  return { identities, authorities: others.map((one) => ({ pem: toPem(one), subject: one.subject.text })) };
}

function toPem({ der }: CertificateContent): string {
  return formatPem('CERTIFICATE', der);
}
