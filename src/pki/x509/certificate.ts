/**
 * A certificate taken apart (RFC 5280, 4.1), without a judgement: what is odd but can be read is read, so that whoever
 * inspects or judges it can say what is odd. Nothing here is trusted because it was decoded.
 *
 *   Certificate  ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING }
 *   tbsCertificate = SEQUENCE { [0] version, serial, signatureAlgorithm, issuer, validity, subject, publicKey,
 *                               [1] issuerUniqueID, [2] subjectUniqueID, [3] extensions }
 */
import { type KeyObject, createHash, createPublicKey } from 'node:crypto';
import { DerReader, DerTag, contextTag } from '../der/read-der.ts';
import { readBitString, readSmallInteger, readTime } from '../der/read-value.ts';
import { type SignatureAlgorithm, readSignatureAlgorithm } from './algorithm.ts';
import { type DistinguishedName, readName } from './distinguished-name.ts';
import { type Extension, type ExtensionReading, readExtensions, readKnownExtensions } from './extension.ts';

export interface CertificateContent extends ExtensionReading {
  der: Uint8Array;
  /** What the signature covers. */
  signed: Uint8Array;
  version: number;
  /** The content of the INTEGER as it stands: a sign, zero and length are for the reader to judge. */
  serial: Uint8Array;
  /** Lower-case hex without padding, with a minus when the number is negative. */
  serialHex: string;
  /** Inside of the signature; must be the same as `signatureAlgorithm`. */
  innerAlgorithm: SignatureAlgorithm;
  signatureAlgorithm: SignatureAlgorithm;
  signature: Uint8Array;
  issuer: DistinguishedName;
  subject: DistinguishedName;
  notBeforeMs: number;
  notAfterMs: number;
  /** DER of the SubjectPublicKeyInfo. */
  spki: Uint8Array;
  /** Undefined when the key is of no kind that can be read. */
  publicKey: KeyObject | undefined;
  extensions: Extension[];
  fingerprintSha256Hex: string;
}

/** @param thing names it in errors */
export function decodeCertificate(der: Uint8Array, thing = 'the certificate'): CertificateContent {
  const file = new DerReader(der, thing);
  const outer = file.enter(DerTag.sequence, 'its outermost sequence');
  file.end('its outermost sequence');
  const signed = outer.readElement(DerTag.sequence, 'what is signed');
  const signatureAlgorithm = readSignatureAlgorithm(outer, thing);
  const signature = readBitString(outer.read(DerTag.bitString, 'the signature'), thing);
  outer.end('the signature');

  const reader = new DerReader(signed.content, thing);
  const versionField = reader.optional(contextTag(0, true), 'the version');
  const version = versionField === undefined ? 1 : readVersion(versionField, thing);
  const serial = reader.read(DerTag.integer, 'the serial number');
  const innerAlgorithm = readSignatureAlgorithm(reader, thing);
  const issuer = readName(reader.readElement(DerTag.sequence, 'the issuer'), thing);
  const validity = reader.enter(DerTag.sequence, 'the validity');
  const [notBeforeMs, notAfterMs] = [readNextTime(validity, thing), readNextTime(validity, thing)];
  validity.end('the validity');
  const subject = readName(reader.readElement(DerTag.sequence, 'the subject'), thing);
  const spki = reader.readElement(DerTag.sequence, 'the public key').whole;
  reader.optional(contextTag(1, false), 'the unique identifier of the issuer');
  reader.optional(contextTag(2, false), 'the unique identifier of the subject');
  const extensionField = reader.optional(contextTag(3, true), 'the extensions');
  reader.end('what is signed');
  const extensions = extensionField === undefined ? [] : readExtensionField(extensionField, thing);

  return {
    der,
    signed: signed.whole,
    version,
    serial,
    serialHex: serialHexOf(serial),
    innerAlgorithm,
    signatureAlgorithm,
    signature,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    spki,
    publicKey: readPublicKey(spki),
    extensions,
    ...readKnownExtensions(extensions),
    fingerprintSha256Hex: createHash('sha256').update(der).digest('hex'),
  };
}

/** @param field the content of an explicit tag that holds a SEQUENCE OF Extension */
export function readExtensionField(field: Uint8Array, thing: string): Extension[] {
  const reader = new DerReader(field, thing);
  const content = reader.read(DerTag.sequence, 'the extensions');
  reader.end('the extensions');
  return readExtensions(content, thing);
}

export function readNextTime(reader: DerReader, thing: string): number {
  const { tag, content } = reader.element('a time');
  return readTime(tag, content, thing);
}

/** A key of a kind that OpenSSL knows. */
export function readPublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), type: 'spki', format: 'der' });
  } catch {
    return undefined;
  }
}

export function serialHexOf(serial: Uint8Array): string {
  const value = BigInt(`0x${Buffer.from(serial).toString('hex') || '0'}`);
  const negative = (serial[0] ?? 0) >= 0x80;
  const magnitude = negative ? (1n << BigInt(serial.length * 8)) - value : value;
  const digits = magnitude.toString(16);
  return `${negative ? '-' : ''}${digits.length % 2 === 0 ? digits : `0${digits}`}`;
}

function readVersion(field: Uint8Array, thing: string): number {
  const reader = new DerReader(field, thing);
  const version = readSmallInteger(reader.read(DerTag.integer, 'the version'), thing);
  reader.end('the version');
  return version + 1;
}
