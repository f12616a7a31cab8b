/** How a key or a PKCS#12 is encrypted by a passphrase (RFC 8018, RFC 7292 appendix C), in words and numbers. */
import { DerReader, DerTag } from '../der/read-der.ts';
import { readObjectId, readSmallInteger } from '../der/read-value.ts';

export interface PassphraseEncryption {
  /** `PBES2`, `pbeWithSHAAnd40BitRC2-CBC`, … */
  scheme: string;
  cipher: string;
  kdf: 'PBKDF2' | 'scrypt' | 'PKCS12' | 'unknown';
  /** HMAC's hash of PBKDF2, or the hash of PKCS#12's own derivation. */
  hash?: string;
  /** Of PBKDF2 and PKCS#12; of scrypt N·r·p. */
  cost: number;
  salt: Uint8Array;
  scrypt?: { N: number; r: number; p: number };
  keyBytes: number;
  iv?: Uint8Array;
}

interface Cipher {
  name: string;
  keyBytes: number;
}

const ciphers: Readonly<Record<string, Cipher>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyBytes: 32 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyBytes: 24 },
};

const hmacs: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'SHA-1',
  '1.2.840.113549.2.8': 'SHA-224',
  '1.2.840.113549.2.9': 'SHA-256',
  '1.2.840.113549.2.10': 'SHA-384',
  '1.2.840.113549.2.11': 'SHA-512',
};

const legacy: Readonly<Record<string, Cipher & { scheme: string }>> = {
  '1.2.840.113549.1.12.1.3': { scheme: 'pbeWithSHAAnd3-KeyTripleDES-CBC', name: 'des-ede3-cbc', keyBytes: 24 },
  '1.2.840.113549.1.12.1.5': { scheme: 'pbeWithSHAAnd128BitRC2-CBC', name: 'rc2-128-cbc', keyBytes: 16 },
  '1.2.840.113549.1.12.1.6': { scheme: 'pbeWithSHAAnd40BitRC2-CBC', name: 'rc2-40-cbc', keyBytes: 5 },
};

export const EncryptionId = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  scrypt: '1.3.6.1.4.1.11591.4.11',
  aes256: '2.16.840.1.101.3.4.1.42',
  hmacSha256: '1.2.840.113549.2.9',
  legacy3des: '1.2.840.113549.1.12.1.3',
} as const;

/** @param content of an AlgorithmIdentifier */
export function readEncryption(content: Uint8Array, thing: string): PassphraseEncryption {
  const reader = new DerReader(content, thing);
  const oid = readObjectId(reader.read(DerTag.objectId, 'the encryption'), thing);
  const known = legacy[oid];
  if (known !== undefined) {
    const parameters = reader.enter(DerTag.sequence, 'the parameters of the encryption');
    const salt = parameters.read(DerTag.octetString, 'the salt');
    const cost = readSmallInteger(parameters.read(DerTag.integer, 'the iterations'), thing);
    const { scheme, name, keyBytes } = known;
    return { scheme, cipher: name, keyBytes, kdf: 'PKCS12', hash: 'SHA-1', cost, salt };
  }
  if (oid !== EncryptionId.pbes2) {
    return { scheme: oid, cipher: 'unknown', kdf: 'unknown', cost: 0, salt: Buffer.alloc(0), keyBytes: 0 };
  }
  const parameters = reader.enter(DerTag.sequence, 'the parameters of PBES2');
  const kdf = parameters.enter(DerTag.sequence, 'the key derivation');
  const cipherReader = parameters.enter(DerTag.sequence, 'the cipher');
  const cipherId = readObjectId(cipherReader.read(DerTag.objectId, 'the cipher'), thing);
  const cipher = ciphers[cipherId];
  const iv = cipherReader.optional(DerTag.octetString, 'the start of the cipher');
  return {
    scheme: 'PBES2',
    cipher: cipher?.name ?? cipherId,
    keyBytes: cipher?.keyBytes ?? 0,
    ...(iv === undefined ? {} : { iv }),
    ...readDerivation(kdf, thing),
  };
}

function readDerivation(
  kdf: DerReader,
  thing: string,
): Pick<PassphraseEncryption, 'kdf' | 'hash' | 'cost' | 'salt' | 'scrypt'> {
  const oid = readObjectId(kdf.read(DerTag.objectId, 'the key derivation'), thing);
  const parameters = kdf.enter(DerTag.sequence, 'the parameters of the key derivation');
  const salt = parameters.read(DerTag.octetString, 'the salt');
  const number = (what: string) => readSmallInteger(parameters.read(DerTag.integer, what), thing);
  if (oid === EncryptionId.scrypt) {
    const [N, r, p] = [number('N of scrypt'), number('r of scrypt'), number('p of scrypt')];
    return { kdf: 'scrypt', cost: N * r * p, salt, scrypt: { N, r, p } };
  }
  if (oid !== EncryptionId.pbkdf2) return { kdf: 'unknown', cost: 0, salt };
  const cost = number('the iterations');
  parameters.optional(DerTag.integer, 'the length of the key');
  const prf = parameters.optional(DerTag.sequence, 'the hash of PBKDF2');
  const id =
    prf === undefined ? undefined : readObjectId(new DerReader(prf, thing).read(DerTag.objectId, 'the hash'), thing);
  return { kdf: 'PBKDF2', hash: id === undefined ? 'SHA-1' : (hmacs[id] ?? id), cost, salt };
}

/** `PBES2, aes-256-cbc, PBKDF2 with SHA-256, 100000 rounds`. */
export function formatEncryption({ scheme, cipher, kdf, hash, cost, scrypt }: PassphraseEncryption): string {
  if (kdf === 'unknown') return `${scheme}, in a way that is not known`;
  const derivation =
    scrypt === undefined
      ? `${kdf} with ${hash}, ${cost} rounds`
      : `scrypt with N=${scrypt.N} r=${scrypt.r} p=${scrypt.p}`;
  return `${scheme}, ${cipher}, ${derivation}`;
}
