/** Revocation lists signed: version 2, with a number and a reason for each entry (RFC 5280, 5). */
import { type KeyObject, X509Certificate, sign } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { DerTag, contextTag } from './der/read-der.ts';
import { bits, element, integer, objectId, octets, sequence } from './der.ts';
import { writeTime } from './der/write-der.ts';
import { decodeCertificate } from './x509/certificate.ts';
import { ExtensionId } from './x509/object-id.ts';
import { reasonNames } from './x509/revocation-list.ts';

export interface ListSigner {
  certificatePem: string;
  privateKey: KeyObject;
}

export interface ListedCertificate {
  /** Lower-case hex. */
  serial: string;
  revokedAtMs: number;
  /** Of RFC 5280, 5.3.1; 0 is left out, as it has to be. */
  reasonCode: number;
}

export interface ListDraft {
  /** Larger than that of every list before. */
  number: number;
  thisUpdateMs: number;
  nextUpdateMs: number;
  revoked: readonly ListedCertificate[];
}

interface Signing {
  hash: string;
  algorithm: Buffer;
}

const ecdsaSha256 = '1.2.840.10045.4.3.2';
const ecdsaSha384 = '1.2.840.10045.4.3.3';
const rsaSha256 = '1.2.840.113549.1.1.11';

/** DER. Written here and not by a library: the core makes it, and 50,000 entries take it less than a second. */
export function signRevocationList({ certificatePem, privateKey }: ListSigner, draft: ListDraft): Buffer {
  const signer = decodeCertificate(new X509Certificate(certificatePem).raw);
  const { hash, algorithm } = chooseSigning(privateKey);
  const keyId = signer.known.subjectKeyIdentifier;
  const extensions = [
    ...(keyId === undefined
      ? []
      : [
          writeExtension(
            ExtensionId.authorityKeyIdentifier,
            sequence(element(contextTag(0, false), Buffer.from(keyId, 'hex'))),
          ),
        ]),
    writeExtension(ExtensionId.crlNumber, integer(draft.number)),
  ];
  const signed = sequence(
    integer(1), // version 2
    algorithm,
    signer.subject.der, // byte for byte as certificates name their issuer
    writeTime(draft.thisUpdateMs),
    writeTime(draft.nextUpdateMs),
    ...(draft.revoked.length === 0 ? [] : [sequence(...draft.revoked.map(writeEntry))]),
    element(contextTag(0, true), sequence(...extensions)),
  );
  return sequence(signed, algorithm, bits(sign(hash, signed, privateKey)));
}

/**
 * The code of a reason in an operator's own words: one of RFC 5280's names, or a word that says the same, in front.
 * Anything else is unspecified: a list that half the world reads is no place for a guess.
 */
export function reasonCodeOf(reason: string): number {
  const word = /^[a-z]+/i.exec(reason.trim())?.[0].toLowerCase() ?? '';
  const byName = Object.entries(reasonNames).find(([, name]) => name.toLowerCase() === word);
  const code = byName === undefined ? (plainWords[word] ?? 0) : Number(byName[0]);
  // A hold and its end are for deltas and for authorities that take revocations back: this one does not.
  return code === 6 || code === 8 ? 0 : code;
}

const plainWords: Readonly<Record<string, number>> = {
  stolen: 1,
  lost: 1,
  compromised: 1,
  leaked: 1,
  replaced: 4,
  renewed: 4,
  retired: 5,
  decommissioned: 5,
  scrapped: 5,
};

function writeEntry({ serial, revokedAtMs, reasonCode }: ListedCertificate): Buffer {
  const reason = writeExtension(ExtensionId.reasonCode, element(DerTag.enumerated, Buffer.from([reasonCode])));
  return sequence(
    integer(BigInt(`0x${serial}`)),
    writeTime(revokedAtMs),
    ...(reasonCode === 0 ? [] : [sequence(reason)]),
  );
}

/** None of those written here is critical. */
function writeExtension(oid: string, value: Buffer): Buffer {
  return sequence(objectId(oid), octets(value));
}

function chooseSigning(key: KeyObject): Signing {
  if (key.asymmetricKeyType === 'rsa') {
    return { hash: 'sha256', algorithm: sequence(objectId(rsaSha256), element(DerTag.null)) };
  }
  if (key.asymmetricKeyType === 'ec') {
    const larger = key.asymmetricKeyDetails?.namedCurve === 'secp384r1';
    return {
      hash: larger ? 'sha384' : 'sha256',
      algorithm: sequence(objectId(larger ? ecdsaSha384 : ecdsaSha256)),
    };
  }
  throw new FlotillaError('usage', 'pki-key-kind', 'revocation lists are not signed with such a key', {
    seen: key.asymmetricKeyType ?? 'unknown',
    expected: 'EC or RSA',
  });
}
