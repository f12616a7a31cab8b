/** Certificates, requests and lists of any shape, also of none that an authority would sign: for tests of who judges them. */
import { type KeyObject, createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { DerReader, DerTag, contextTag } from '../../src/pki/der/read-der.ts';
import { bits, element, integer, objectId, octets, sequence } from '../../src/pki/der.ts';
import { writeTime, writeTrue } from '../../src/pki/der/write-der.ts';

export interface DraftKey {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

export interface DraftExtension {
  oid: string;
  critical?: boolean;
  value: Buffer;
}

export interface Draft {
  subject: string | Buffer;
  key: DraftKey;
  /** Absent: it signs itself. */
  issuer?: { subject: string | Buffer; key: DraftKey };
  /** The content of the INTEGER. */
  serial?: Buffer;
  version?: number;
  /** In the middle of its life, where that is not given; 2026-06-01. */
  nowMs?: number;
  notBeforeMs?: number;
  notAfterMs?: number;
  extensions?: DraftExtension[];
  hash?: 'sha256' | 'sha384' | 'sha1' | 'md5';
  /** What it says inside of the signature, when that is something else. */
  innerAlgorithm?: Buffer;
  spki?: Buffer;
}

export const draftNowMs = Date.UTC(2026, 5, 1);
const yearMs = 365 * 86_400_000;
const keyIdOid = '2.5.29.35';

export function ecKey(namedCurve = 'P-256'): DraftKey {
  return generateKeyPairSync('ec', { namedCurve });
}

export function rsaKey(modulusLength = 2048, publicExponent = 65_537): DraftKey {
  return generateKeyPairSync('rsa', { modulusLength, publicExponent });
}

/** DER. The key identifier of the issuer is added where there are extensions, as every authority does. */
export function signDraft(draft: Draft): Buffer {
  const { key, subject, issuer = draft, hash = 'sha256', version = 3 } = draft;
  const algorithm = algorithmOf(issuer.key, hash);
  const { nowMs = draftNowMs } = draft;
  const { notBeforeMs = nowMs - yearMs / 2, notAfterMs = nowMs + yearMs / 2 } = draft;
  const serial = draft.serial ?? Buffer.concat([Buffer.from([0x4a]), randomBytes(15)]);
  const own = draft.extensions ?? [];
  const keyId = draft.issuer === undefined || own.length === 0 || own.some(({ oid }) => oid === keyIdOid);
  const extensions = [...own, ...(keyId ? [] : [authorityKeyId(issuer.key)])].map(writeExtension);
  const signed = sequence(
    ...(version === 1 ? [] : [element(contextTag(0, true), integer(version - 1))]),
    element(DerTag.integer, serial),
    draft.innerAlgorithm ?? algorithm,
    nameOf(issuer.subject),
    sequence(writeTime(notBeforeMs), writeTime(notAfterMs)),
    nameOf(subject),
    draft.spki ?? key.publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [element(contextTag(3, true), sequence(...extensions))]),
  );
  return sequence(signed, algorithm, bits(sign(hash, signed, issuer.key.privateKey)));
}

/** A request of that subject, with these requested extensions. */
export function signRequest(
  subject: string | Buffer,
  key: DraftKey,
  extensions: DraftExtension[] = [],
  hash = 'sha256',
): Buffer {
  const requested = sequence(
    objectId('1.2.840.113549.1.9.14'),
    element(DerTag.set, sequence(...extensions.map(writeExtension))),
  );
  const signed = sequence(
    integer(0),
    nameOf(subject),
    key.publicKey.export({ type: 'spki', format: 'der' }),
    element(contextTag(0, true), ...(extensions.length === 0 ? [] : [requested])),
  );
  return sequence(signed, algorithmOf(key, hash), bits(sign(hash, signed, key.privateKey)));
}

export function algorithmOf({ privateKey }: DraftKey, hash: string): Buffer {
  const ecdsa: Record<string, string> = {
    sha1: '1.2.840.10045.4.1',
    sha256: '1.2.840.10045.4.3.2',
    sha384: '1.2.840.10045.4.3.3',
  };
  const rsa: Record<string, string> = {
    md5: '1.2.840.113549.1.1.4',
    sha1: '1.2.840.113549.1.1.5',
    sha256: '1.2.840.113549.1.1.11',
    sha384: '1.2.840.113549.1.1.12',
  };
  if (privateKey.asymmetricKeyType === 'ec') return sequence(objectId(ecdsa[hash]!));
  return sequence(objectId(rsa[hash]!), element(DerTag.null));
}

/** `/`-separated: `CN=gw-001/O=Harbour`. */
export function nameOf(subject: string | Buffer): Buffer {
  if (typeof subject !== 'string') return subject;
  const ids: Record<string, string> = {
    CN: '2.5.4.3',
    O: '2.5.4.10',
    OU: '2.5.4.11',
    emailAddress: '1.2.840.113549.1.9.1',
  };
  const parts = subject === '' ? [] : subject.split('/');
  return sequence(
    ...parts.map((part) => {
      const [kind = '', value = ''] = part.split('=');
      const text = element(kind === 'emailAddress' ? DerTag.ia5String : DerTag.utf8String, Buffer.from(value));
      return element(DerTag.set, sequence(objectId(ids[kind]!), text));
    }),
  );
}

function writeExtension({ oid, critical, value }: DraftExtension): Buffer {
  return sequence(objectId(oid), ...(critical === true ? [writeTrue()] : []), octets(value));
}

export const basicConstraints = (ca: boolean, pathLength?: number): DraftExtension => ({
  oid: '2.5.29.19',
  critical: true,
  value: sequence(...(ca ? [writeTrue()] : []), ...(pathLength === undefined ? [] : [integer(pathLength)])),
});

/** @param usages as RFC 5280 counts: digitalSignature 0, keyCertSign 5, cRLSign 6 */
export function keyUsage(...usages: number[]): DraftExtension {
  let byte = 0;
  for (const bit of usages) byte |= 0x80 >> bit;
  const unused = 7 - Math.max(0, ...usages);
  return { oid: '2.5.29.15', critical: true, value: element(DerTag.bitString, Buffer.from([unused, byte])) };
}

export const purposeOf = (...oids: string[]): DraftExtension => ({
  oid: '2.5.29.37',
  critical: true,
  value: sequence(...oids.map(objectId)),
});
export const clientAuth = '1.3.6.1.5.5.7.3.2';
export const serverAuth = '1.3.6.1.5.5.7.3.1';

const nameTags = { email: 1, dns: 2, uri: 6, ip: 7 } as const;
type DraftName = { type: keyof typeof nameTags; value: string | Buffer } | { type: 'directory'; value: string };

export function generalName({ type, value }: DraftName): Buffer {
  if (type === 'directory') return element(contextTag(4, true), nameOf(value));
  return element(contextTag(nameTags[type], false), Buffer.from(value as string));
}

export const altNames = (...names: DraftName[]): DraftExtension => ({
  oid: '2.5.29.17',
  value: sequence(...names.map(generalName)),
});

export function nameConstraints(permitted: DraftName[], excluded: DraftName[] = []): DraftExtension {
  const trees = (number: number, names: DraftName[]) =>
    names.length === 0 ? [] : [element(contextTag(number, true), ...names.map((name) => sequence(generalName(name))))];
  return { oid: '2.5.29.30', critical: true, value: sequence(...trees(0, permitted), ...trees(1, excluded)) };
}

/** Over the bits of the key alone (RFC 5280, 4.2.1.2, method 1). */
export function keyIdOf({ publicKey }: DraftKey): Buffer {
  const spki = new DerReader(publicKey.export({ type: 'spki', format: 'der' }), 'the key').enter(DerTag.sequence, 'it');
  spki.read(DerTag.sequence, 'the algorithm');
  return createHash('sha1').update(spki.read(DerTag.bitString, 'the bits').subarray(1)).digest();
}

export const subjectKeyId = (key: DraftKey): DraftExtension => ({ oid: '2.5.29.14', value: octets(keyIdOf(key)) });
export const authorityKeyId = (key: DraftKey): DraftExtension => ({
  oid: keyIdOid,
  value: sequence(element(contextTag(0, false), keyIdOf(key))),
});

export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

export const deviceExtensions = (fleetId: string, deviceId: string): DraftExtension[] => [
  basicConstraints(false),
  keyUsage(0),
  purposeOf(clientAuth),
  altNames({ type: 'uri', value: `flotilla://${fleetId}/device/${deviceId}` }),
];
export const authorityExtensions = (pathLength?: number): DraftExtension[] => [
  basicConstraints(true, pathLength),
  keyUsage(5, 6),
];
