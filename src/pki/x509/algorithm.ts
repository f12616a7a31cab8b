/** Signature algorithms: by name, with the hash that they stand on, and how node:crypto checks them. */
import { type KeyObject, constants, verify } from 'node:crypto';
import { DerReader, DerTag, contextTag } from '../der/read-der.ts';
import { readObjectId, readSmallInteger } from '../der/read-value.ts';

export interface SignatureAlgorithm {
  oid: string;
  /** `ecdsa-with-SHA256`, as OpenSSL names it; the dotted number when it is not known. */
  name: string;
  /** `SHA-256`; undefined for Ed25519 and Ed448, which bring their own, and for what is not known. */
  hash: string | undefined;
  keyType: 'ec' | 'rsa' | 'rsa-pss' | 'ed25519' | 'ed448' | undefined;
  /** Of RSA-PSS. */
  saltLength?: number;
  /** The whole AlgorithmIdentifier: the one inside and the one outside a signature must be the same bytes. */
  der: Uint8Array;
}

type Known = Pick<SignatureAlgorithm, 'name' | 'hash' | 'keyType'>;

const known: Readonly<Record<string, Known>> = {
  '1.2.840.10045.4.1': { name: 'ecdsa-with-SHA1', hash: 'SHA-1', keyType: 'ec' },
  '1.2.840.10045.4.3.1': { name: 'ecdsa-with-SHA224', hash: 'SHA-224', keyType: 'ec' },
  '1.2.840.10045.4.3.2': { name: 'ecdsa-with-SHA256', hash: 'SHA-256', keyType: 'ec' },
  '1.2.840.10045.4.3.3': { name: 'ecdsa-with-SHA384', hash: 'SHA-384', keyType: 'ec' },
  '1.2.840.10045.4.3.4': { name: 'ecdsa-with-SHA512', hash: 'SHA-512', keyType: 'ec' },
  '1.2.840.113549.1.1.2': { name: 'md2WithRSAEncryption', hash: 'MD2', keyType: 'rsa' },
  '1.2.840.113549.1.1.4': { name: 'md5WithRSAEncryption', hash: 'MD5', keyType: 'rsa' },
  '1.2.840.113549.1.1.5': { name: 'sha1WithRSAEncryption', hash: 'SHA-1', keyType: 'rsa' },
  '1.2.840.113549.1.1.14': { name: 'sha224WithRSAEncryption', hash: 'SHA-224', keyType: 'rsa' },
  '1.2.840.113549.1.1.11': { name: 'sha256WithRSAEncryption', hash: 'SHA-256', keyType: 'rsa' },
  '1.2.840.113549.1.1.12': { name: 'sha384WithRSAEncryption', hash: 'SHA-384', keyType: 'rsa' },
  '1.2.840.113549.1.1.13': { name: 'sha512WithRSAEncryption', hash: 'SHA-512', keyType: 'rsa' },
  '1.3.101.112': { name: 'ED25519', hash: undefined, keyType: 'ed25519' },
  '1.3.101.113': { name: 'ED448', hash: undefined, keyType: 'ed448' },
};

const pssId = '1.2.840.113549.1.1.10';
const hashNames: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'SHA-1',
  '2.16.840.1.101.3.4.2.4': 'SHA-224',
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
};

/** Reads the next AlgorithmIdentifier. */
export function readSignatureAlgorithm(reader: DerReader, thing: string): SignatureAlgorithm {
  const { content, whole } = reader.readElement(DerTag.sequence, 'the signature algorithm');
  const inner = new DerReader(content, thing);
  const oid = readObjectId(inner.read(DerTag.objectId, 'the signature algorithm'), thing);
  if (oid === pssId) return { oid, der: whole, ...readPss(inner, thing) };
  return { oid, der: whole, ...(known[oid] ?? { name: oid, hash: undefined, keyType: undefined }) };
}

/** RFC 4055: every parameter has a default, and all of the defaults are of SHA-1. */
function readPss(reader: DerReader, thing: string): Known & { saltLength: number } {
  const pss = { hash: 'SHA-1', saltLength: 20 };
  const parameters = new DerReader(
    reader.optional(DerTag.sequence, 'the parameters of RSA-PSS') ?? Buffer.alloc(0),
    thing,
  );
  const hash = parameters.optional(contextTag(0, true), 'the hash of RSA-PSS');
  if (hash !== undefined) {
    const oid = new DerReader(hash, thing).enter(DerTag.sequence, 'the hash of RSA-PSS');
    const dotted = readObjectId(oid.read(DerTag.objectId, 'the hash of RSA-PSS'), thing);
    pss.hash = hashNames[dotted] ?? dotted;
  }
  parameters.optional(contextTag(1, true), 'the mask of RSA-PSS');
  const salt = parameters.optional(contextTag(2, true), 'the salt of RSA-PSS');
  if (salt !== undefined) {
    pss.saltLength = readSmallInteger(new DerReader(salt, thing).read(DerTag.integer, 'the salt of RSA-PSS'), thing);
  }
  return { name: 'rsassaPss', keyType: 'rsa-pss', ...pss };
}

/** Collisions are made for these: a signature over one says nothing about who signed this text. */
export function isBrokenHash(hash: string | undefined): boolean {
  return hash === 'MD2' || hash === 'MD5' || hash === 'SHA-1';
}

/** Whether `key` signed `data`; false also when key and algorithm do not fit each other. Never throws. */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { hash, keyType, saltLength } = algorithm;
  const fits = key.asymmetricKeyType === keyType || (keyType === 'rsa-pss' && key.asymmetricKeyType === 'rsa');
  if (keyType === undefined || !fits) return false;
  try {
    if (keyType === 'ed25519' || keyType === 'ed448') return verify(undefined, data, key, signature);
    if (hash === undefined) return false;
    const padding =
      keyType === 'rsa-pss' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: saltLength ?? 20 } : {};
    return verify(hash.replace('-', ''), data, { key, ...padding }, signature);
  } catch {
    return false;
  }
}
