/** Keys, told by their public half. */
import { type KeyObject, createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { FlotillaError } from '../../error.ts';
import { DerReader, DerTag } from '../der/read-der.ts';
import { describePublicKey } from '../public-key.ts';
import { formatEncryption, readEncryption } from '../x509/encryption.ts';
import { readPublicKey } from '../x509/certificate.ts';
import type { PrivateKeyDocument, PublicKeyDocument } from './document.ts';
import type { Material } from './material.ts';
import { decryptByPassphrase } from '../pkcs12/cipher.ts';

const curveBits: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521, secp256k1: 256 };

export function describeKey(spki: Uint8Array, key: KeyObject | undefined = readPublicKey(spki)): PublicKeyDocument {
  const fingerprintSha256Hex = createHash('sha256').update(spki).digest('hex');
  if (key === undefined) return { kind: 'unknown', fingerprintSha256Hex };
  const { modulusLength, publicExponent, namedCurve } = key.asymmetricKeyDetails ?? {};
  const bits = modulusLength ?? curveBits[namedCurve ?? ''];
  return {
    kind: describePublicKey(key),
    ...(bits === undefined ? {} : { bits }),
    ...(publicExponent === undefined ? {} : { exponent: String(publicExponent) }),
    fingerprintSha256Hex,
  };
}

export function spkiOf(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'der' });
}

export async function describePrivateKey(material: Material, passphrase?: string): Promise<PrivateKeyDocument> {
  const key = await openPrivateKey(material, passphrase);
  const encryption = encryptionOf(material);
  return {
    kind: 'private-key',
    encrypted: material.kind === 'encrypted-key',
    ...(encryption === undefined ? {} : { encryption }),
    ...(key === undefined ? {} : { publicKey: describeKey(spkiOf(key)) }),
  };
}

/**
 * The key itself, for whoever compares or exports it; undefined when it is encrypted and there is no passphrase.
 * @throws `pki-passphrase-wrong`, `pki-key-malformed`
 */
export async function openPrivateKey(material: Material, passphrase?: string): Promise<KeyObject | undefined> {
  const { kind, der, pem, thing } = material;
  if (kind === 'encrypted-key' && passphrase === undefined) return undefined;
  try {
    if (pem?.includes('Proc-Type') === true) return createPrivateKey({ key: pem, format: 'pem', passphrase });
    if (kind === 'encrypted-key') return readPkcs8(await decryptPkcs8(der, passphrase as string, thing));
    return readAnyKey(der);
  } catch (cause) {
    if (cause instanceof FlotillaError) throw cause;
    if (kind === 'encrypted-key') {
      throw new FlotillaError('usage', 'pki-passphrase-wrong', `${thing} does not open with this passphrase`, {
        cause,
      });
    }
    throw new FlotillaError('usage', 'pki-key-malformed', `${thing} holds no private key that can be read`, {
      expected: 'PKCS#8, PKCS#1 or SEC 1',
      suggestion: 'the file is damaged: take it from a backup',
      cause,
    });
  }
}

async function decryptPkcs8(der: Uint8Array, passphrase: string, thing: string): Promise<Buffer> {
  const { algorithm, encrypted } = readEncryptedInfo(der, thing);
  const plain = await decryptByPassphrase(readEncryption(algorithm, thing), encrypted, passphrase);
  if (plain === undefined) throw new Error('the padding did not come out');
  return plain;
}

function readEncryptedInfo(der: Uint8Array, thing: string): { algorithm: Uint8Array; encrypted: Uint8Array } {
  const info = new DerReader(der, thing).enter(DerTag.sequence, 'its outermost sequence');
  const algorithm = info.read(DerTag.sequence, 'the encryption');
  return { algorithm, encrypted: info.read(DerTag.octetString, 'the encrypted key') };
}

function encryptionOf({ kind, pem, der, thing }: Material): string | undefined {
  if (kind !== 'encrypted-key') return undefined;
  const old = /DEK-Info: *([\w-]+)/.exec(pem ?? '')?.[1];
  if (old !== undefined) return `${old.toLowerCase()}, key from one round of MD5`;
  return formatEncryption(readEncryption(readEncryptedInfo(der, thing).algorithm, thing));
}

function readPkcs8(der: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
}

/** DER says by its second element what it is: PKCS#8 an algorithm, SEC 1 octets, PKCS#1 a number. */
function readAnyKey(der: Uint8Array): KeyObject {
  const reader = new DerReader(der, 'the key').enter(DerTag.sequence, 'the key');
  reader.read(DerTag.integer, 'the version');
  if (reader.nextTag === DerTag.sequence) return readPkcs8(der);
  const type = reader.nextTag === DerTag.octetString ? 'sec1' : 'pkcs1';
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type });
}
