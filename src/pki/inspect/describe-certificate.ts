import { X509Certificate, createHash } from 'node:crypto';
import { describeCertificate } from '../certificate.ts';
import { verifySignature } from '../x509/algorithm.ts';
import type { CertificateContent } from '../x509/certificate.ts';
import { sameName } from '../x509/distinguished-name.ts';
import type { Extension, ExtensionReading } from '../x509/extension.ts';
import type { GeneralName } from '../x509/general-name.ts';
import { extendedKeyUsageName, extensionName } from '../x509/object-id.ts';
import { describeKey } from './describe-key.ts';
import type { CertificateDocument, ExtensionDocument, ExtensionsDocument, NameDocument } from './document.ts';

export function describeContent(content: CertificateContent): CertificateDocument {
  return {
    kind: 'certificate',
    ...roleOf(content),
    version: content.version,
    serialHex: content.serialHex,
    subject: content.subject.text,
    issuer: content.issuer.text,
    selfSigned: isSelfSigned(content),
    notBefore: new Date(content.notBeforeMs).toISOString(),
    notAfter: new Date(content.notAfterMs).toISOString(),
    notBeforeMs: content.notBeforeMs,
    notAfterMs: content.notAfterMs,
    publicKey: describeKey(content.spki, content.publicKey),
    signatureAlgorithm: content.signatureAlgorithm.name,
    ...describeExtensions(content),
    fingerprintSha256Hex: content.fingerprintSha256Hex,
    fingerprintSha1Hex: createHash('sha1').update(content.der).digest('hex'),
  };
}

export function isSelfSigned({
  issuer,
  subject,
  publicKey,
  signatureAlgorithm,
  signed,
  signature,
}: CertificateContent): boolean {
  if (publicKey === undefined || !sameName(issuer, subject)) return false;
  return verifySignature(signatureAlgorithm, publicKey, signed, signature);
}

type Role = Pick<CertificateDocument, 'role' | 'fleetId' | 'deviceId' | 'operator'>;

/** By the same rules by which the coordinator tells who connects. */
export function roleOf({ der }: CertificateContent): Role {
  try {
    const { kind, fleetId, deviceId, operator } = describeCertificate(new X509Certificate(der));
    return {
      role: kind,
      ...(fleetId === undefined ? {} : { fleetId }),
      ...(deviceId === undefined ? {} : { deviceId }),
      ...(operator === undefined ? {} : { operator }),
    };
  } catch {
    return { role: 'other' }; // OpenSSL reads less than we do: what it refuses is nothing in a fleet
  }
}

export function describeExtensions({
  extensions,
  known,
  problems,
  duplicates,
}: ExtensionReading & { extensions: readonly Extension[] }): ExtensionsDocument {
  const { keyUsage, extendedKeyUsage, basicConstraints, nameConstraints, crlDistributionPoints } = known;
  const { subjectKeyIdentifier, authorityKeyIdentifier, authorityInfoAccess, certificatePolicies } = known;
  return {
    subjectAltNames: (known.subjectAltName ?? []).map(nameDocument),
    ...(keyUsage === undefined ? {} : { keyUsage }),
    ...(extendedKeyUsage === undefined ? {} : { extendedKeyUsage: extendedKeyUsage.map(extendedKeyUsageName) }),
    ...(basicConstraints === undefined ? {} : { basicConstraints }),
    ...(nameConstraints === undefined
      ? {}
      : {
          nameConstraints: {
            permitted: nameConstraints.permitted.map(nameDocument),
            excluded: nameConstraints.excluded.map(nameDocument),
          },
        }),
    ...(subjectKeyIdentifier === undefined ? {} : { subjectKeyId: subjectKeyIdentifier }),
    ...(authorityKeyIdentifier?.keyId === undefined ? {} : { authorityKeyId: authorityKeyIdentifier.keyId }),
    ...(crlDistributionPoints === undefined ? {} : { crlDistributionPoints }),
    ...(authorityInfoAccess === undefined ? {} : { authorityInfoAccess }),
    ...(certificatePolicies === undefined ? {} : { certificatePolicies }),
    extensions: extensions.map(extensionDocument),
    problems: [
      ...problems.map(({ oid, text }) => `${extensionName(oid)}: ${text}`),
      ...duplicates.map((oid) => `${extensionName(oid)} stands there more than once`),
    ],
  };
}

export function extensionDocument({ oid, critical }: Extension): ExtensionDocument {
  return { oid, name: extensionName(oid), critical };
}

function nameDocument({ type, value }: GeneralName): NameDocument {
  return { type, value };
}
