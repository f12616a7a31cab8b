/**
 * A certificate revocation list taken apart (RFC 5280, 5.1). Entries are read in one pass; a list of the largest size
 * that is taken (16 MiB, some 400,000 entries) takes well under a second.
 *
 *   CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signature BIT STRING }
 *   tbsCertList       = SEQUENCE { version, signatureAlgorithm, issuer, thisUpdate, nextUpdate,
 *                                  SEQUENCE OF { serial, revocationDate, extensions }, [0] extensions }
 */
import { createHash } from 'node:crypto';
import { DerReader, DerTag, contextTag } from '../der/read-der.ts';
import { readBitString, readInteger, readSmallInteger } from '../der/read-value.ts';
import { type SignatureAlgorithm, readSignatureAlgorithm } from './algorithm.ts';
import { readExtensionField, readNextTime, serialHexOf } from './certificate.ts';
import { type DistinguishedName, readName } from './distinguished-name.ts';
import { type Extension, readExtensions } from './extension.ts';
import { ExtensionId } from './object-id.ts';

/** By number (RFC 5280, 5.3.1); 7 is not used. */
export const reasonNames: Readonly<Record<number, string>> = {
  0: 'unspecified',
  1: 'keyCompromise',
  2: 'cACompromise',
  3: 'affiliationChanged',
  4: 'superseded',
  5: 'cessationOfOperation',
  6: 'certificateHold',
  8: 'removeFromCRL',
  9: 'privilegeWithdrawn',
  10: 'aACompromise',
};

export interface RevokedEntry {
  serialHex: string;
  revokedAtMs: number;
  reason: string;
  /** Dotted, of critical extensions of the entry that are not understood. */
  unknownCritical?: string[];
}

export interface RevocationList {
  der: Uint8Array;
  signed: Uint8Array;
  version: number;
  innerAlgorithm: SignatureAlgorithm;
  signatureAlgorithm: SignatureAlgorithm;
  signature: Uint8Array;
  issuer: DistinguishedName;
  thisUpdateMs: number;
  nextUpdateMs: number | undefined;
  /** By serial number. */
  revoked: Map<string, RevokedEntry>;
  /** Serial numbers that stand there twice. */
  repeated: string[];
  extensions: Extension[];
  number: bigint | undefined;
  /** Lower-case hex. */
  authorityKeyId: string | undefined;
  fingerprintSha256Hex: string;
}

export const maxRevocationListBytes = 16 * 1024 * 1024;

export function decodeRevocationList(der: Uint8Array, thing = 'the revocation list'): RevocationList {
  const file = new DerReader(der, thing);
  const outer = file.enter(DerTag.sequence, 'its outermost sequence');
  file.end('its outermost sequence');
  const signed = outer.readElement(DerTag.sequence, 'what is signed');
  const signatureAlgorithm = readSignatureAlgorithm(outer, thing);
  const signature = readBitString(outer.read(DerTag.bitString, 'the signature'), thing);
  outer.end('the signature');

  const reader = new DerReader(signed.content, thing);
  const version = reader.optional(DerTag.integer, 'the version');
  const innerAlgorithm = readSignatureAlgorithm(reader, thing);
  const issuer = readName(reader.readElement(DerTag.sequence, 'the issuer'), thing);
  const thisUpdateMs = readNextTime(reader, thing);
  const hasNext = reader.nextTag === DerTag.utcTime || reader.nextTag === DerTag.generalizedTime;
  const nextUpdateMs = hasNext ? readNextTime(reader, thing) : undefined;
  const entries = reader.optional(DerTag.sequence, 'the entries');
  const field = reader.optional(contextTag(0, true), 'the extensions');
  reader.end('what is signed');
  const extensions = field === undefined ? [] : readExtensionField(field, thing);
  return {
    der,
    signed: signed.whole,
    version: version === undefined ? 1 : readSmallInteger(version, thing) + 1,
    innerAlgorithm,
    signatureAlgorithm,
    signature,
    issuer,
    thisUpdateMs,
    nextUpdateMs,
    ...readEntries(entries, thing),
    extensions,
    number: readNumber(extensions, thing),
    authorityKeyId: readKeyId(extensions, thing),
    fingerprintSha256Hex: createHash('sha256').update(der).digest('hex'),
  };
}

function readEntries(content: Uint8Array | undefined, thing: string): Pick<RevocationList, 'revoked' | 'repeated'> {
  const revoked = new Map<string, RevokedEntry>();
  const repeated: string[] = [];
  const reader = new DerReader(content ?? Buffer.alloc(0), thing);
  while (!reader.ended) {
    const one = reader.enter(DerTag.sequence, 'an entry');
    const serialHex = serialHexOf(one.read(DerTag.integer, 'the serial number of an entry'));
    const revokedAtMs = readNextTime(one, thing);
    const extensions = one.optional(DerTag.sequence, 'the extensions of an entry');
    one.end('an entry');
    if (revoked.has(serialHex)) repeated.push(serialHex);
    else {
      const known = extensions === undefined ? [] : readExtensions(extensions, thing);
      revoked.set(serialHex, { serialHex, revokedAtMs, ...describeEntry(known, thing) });
    }
  }
  return { revoked, repeated };
}

function describeEntry(
  extensions: readonly Extension[],
  thing: string,
): Pick<RevokedEntry, 'reason' | 'unknownCritical'> {
  const reason = extensions.find(({ oid }) => oid === ExtensionId.reasonCode);
  const unknown = extensions.filter(({ oid, critical }) => critical && oid !== ExtensionId.reasonCode);
  const code =
    reason === undefined
      ? 0
      : readSmallInteger(new DerReader(reason.value, thing).read(DerTag.enumerated, 'a reason'), thing);
  return {
    reason: reasonNames[code] ?? `reason ${code}`,
    ...(unknown.length === 0 ? {} : { unknownCritical: unknown.map(({ oid }) => oid) }),
  };
}

function readNumber(extensions: readonly Extension[], thing: string): bigint | undefined {
  const found = extensions.find(({ oid }) => oid === ExtensionId.crlNumber);
  if (found === undefined) return undefined;
  return readInteger(new DerReader(found.value, thing).read(DerTag.integer, 'its number'), thing);
}

function readKeyId(extensions: readonly Extension[], thing: string): string | undefined {
  const found = extensions.find(({ oid }) => oid === ExtensionId.authorityKeyIdentifier);
  if (found === undefined) return undefined;
  const inner = new DerReader(found.value, thing).enter(DerTag.sequence, 'authorityKeyIdentifier');
  const keyId = inner.optional(contextTag(0, false), 'the key identifier');
  return keyId === undefined ? undefined : Buffer.from(keyId).toString('hex');
}
