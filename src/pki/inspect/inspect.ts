/** `cert inspect`: what a file holds, in plain fields. Judges nothing; a private key is told by its public half alone. */
import { decodeCertificate, type CertificateContent } from '../x509/certificate.ts';
import { verifySignature } from '../x509/algorithm.ts';
import { sameName } from '../x509/distinguished-name.ts';
import { formatEncryption } from '../x509/encryption.ts';
import { decodeRequest } from '../x509/request.ts';
import { type RevocationList, decodeRevocationList } from '../x509/revocation-list.ts';
import { openPkcs12, readPkcs12Shell } from '../pkcs12/read-pkcs12.ts';
import { describeContent, describeExtensions, extensionDocument } from './describe-certificate.ts';
import { describeKey, describePrivateKey } from './describe-key.ts';
import type {
  InspectedObject,
  Inspection,
  Pkcs12Document,
  RequestDocument,
  RevocationListDocument,
} from './document.ts';
import { type Material, readMaterial } from './material.ts';

export interface InspectInput {
  /** `-` for standard input. */
  file: string;
  bytes: Uint8Array;
  /** Permission bits of a regular file. */
  mode?: number | undefined;
  passphrase?: string | undefined;
}

export async function inspect({ file, bytes, mode, passphrase }: InspectInput): Promise<Inspection> {
  const materials = readMaterial(bytes, file === '-' ? 'standard input' : file);
  return {
    version: 1,
    file,
    bytes: bytes.length,
    encoding: materials[0]!.encoding,
    ...(mode === undefined ? {} : { mode: formatMode(mode) }),
    objects: await inspectAll(materials, passphrase),
  };
}

export function formatMode(mode: number): string {
  return `0${(mode & 0o777).toString(8).padStart(3, '0')}`;
}

async function inspectAll(materials: readonly Material[], passphrase: string | undefined): Promise<InspectedObject[]> {
  const contents = materials.map(({ kind, der, thing }) =>
    kind === 'certificate' ? decodeCertificate(der, thing) : undefined,
  );
  const lists = materials.map(({ kind, der, thing }) =>
    kind === 'revocation-list' ? decodeRevocationList(der, thing) : undefined,
  );
  const objects: InspectedObject[] = [];
  for (const [at, material] of materials.entries()) {
    const [content, list] = [contents[at], lists[at]];
    if (content !== undefined) objects.push({ ...describeContent(content), ...signerOf(content, contents) });
    else if (list !== undefined) objects.push({ ...describeList(list), ...signerOf(list, contents) });
    else objects.push(await inspectOther(material, passphrase));
  }
  return objects.map((object) => ({ ...object, ...ownKeyOf(object, objects) }));
}

async function inspectOther(material: Material, passphrase: string | undefined): Promise<InspectedObject> {
  const { kind, der, thing } = material;
  if (kind === 'request') return describeRequest(der, thing);
  if (kind === 'pkcs12') return inspectPkcs12(der, thing, passphrase);
  if (kind === 'public-key') return { kind, publicKey: describeKey(der) };
  return describePrivateKey(material, passphrase);
}

function describeRequest(der: Uint8Array, thing: string): RequestDocument {
  const content = decodeRequest(der, thing);
  const { publicKey, signatureAlgorithm, signed, signature } = content;
  return {
    kind: 'request',
    subject: content.subject.text,
    publicKey: describeKey(content.spki, publicKey),
    signatureAlgorithm: signatureAlgorithm.name,
    signatureHolds: publicKey !== undefined && verifySignature(signatureAlgorithm, publicKey, signed, signature),
    attributes: content.attributes,
    ...describeExtensions(content),
  };
}

function describeList(list: RevocationList): RevocationListDocument {
  const { thisUpdateMs, nextUpdateMs, number, authorityKeyId } = list;
  return {
    kind: 'revocation-list',
    issuer: list.issuer.text,
    version: list.version,
    ...(number === undefined ? {} : { number: String(number) }),
    thisUpdate: new Date(thisUpdateMs).toISOString(),
    thisUpdateMs,
    ...(nextUpdateMs === undefined ? {} : { nextUpdate: new Date(nextUpdateMs).toISOString(), nextUpdateMs }),
    ...(authorityKeyId === undefined ? {} : { authorityKeyId }),
    signatureAlgorithm: list.signatureAlgorithm.name,
    revokedCount: list.revoked.size,
    revoked: [...list.revoked.values()].map(({ serialHex, revokedAtMs, reason }) => ({
      serialHex,
      revokedAt: new Date(revokedAtMs).toISOString(),
      revokedAtMs,
      reason,
    })),
    extensions: list.extensions.map(extensionDocument),
    fingerprintSha256Hex: list.fingerprintSha256Hex,
  };
}

async function inspectPkcs12(der: Uint8Array, thing: string, passphrase: string | undefined): Promise<Pkcs12Document> {
  const shell = readPkcs12Shell(der, thing);
  const shown = {
    kind: 'pkcs12',
    ...(shell.mac === undefined ? {} : { mac: { hash: shell.mac.hash, rounds: shell.mac.rounds } }),
  } as const;
  const encryption = shell.safes.map((safe) => (safe.encryption ? formatEncryption(safe.encryption) : 'none'));
  if (passphrase === undefined) return { ...shown, encryption, opened: false, objects: [] };
  const { keys, certificates } = await openPkcs12(shell, passphrase, thing);
  const materials: Material[] = [
    ...keys.map((key, at) => ({ ...key, kind: 'private-key' as const, thing: `key ${at + 1} of ${thing}` })),
    ...certificates.map((one, at) => ({
      ...one,
      kind: 'certificate' as const,
      thing: `certificate ${at + 1} of ${thing}`,
    })),
  ].map(({ kind, der: own, thing: name }) => ({ kind, encoding: 'DER', der: own, thing: name }));
  const { friendlyName } = keys[0] ?? certificates[0] ?? {};
  return {
    ...shown,
    encryption: [...encryption, ...keys.map((key) => (key.encryption ? formatEncryption(key.encryption) : 'none'))],
    opened: true,
    objects: await inspectAll(materials, undefined),
    ...(friendlyName === undefined ? {} : { friendlyName }),
  };
}

type Signed = Pick<CertificateContent, 'issuer' | 'signed' | 'signature' | 'signatureAlgorithm'>;

/** The certificate of the same file that signed it. */
function signerOf(one: Signed, contents: readonly (CertificateContent | undefined)[]): { signedBy?: number } {
  const signedBy = contents.findIndex(
    (other) =>
      other?.publicKey !== undefined &&
      sameName(other.subject, one.issuer) &&
      verifySignature(one.signatureAlgorithm, other.publicKey, one.signed, one.signature),
  );
  return signedBy < 0 ? {} : { signedBy };
}

/** The private key of the same file that belongs to a certificate. */
function ownKeyOf(object: InspectedObject, objects: readonly InspectedObject[]): { privateKey?: number } {
  if (object.kind !== 'certificate') return {};
  const wanted = object.publicKey.fingerprintSha256Hex;
  const privateKey = objects.findIndex(
    (other) => other.kind === 'private-key' && other.publicKey?.fingerprintSha256Hex === wanted,
  );
  return privateKey < 0 ? {} : { privateKey };
}
