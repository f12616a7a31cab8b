/**
 * PKCS#12 written: one key, its certificate, and the authorities above it.
 *
 *   modern  PBES2, AES-256-CBC, PBKDF2 with HMAC-SHA-256; MAC HMAC-SHA-256: OpenSSL 1.1+, Java 8u301+, Windows 2019+
 *   legacy  3DES and SHA-1, for what is older
 *
 * node-forge's own writer takes RSA keys only and authenticates with SHA-1.
 */
import { type KeyObject, createHash, createHmac, randomBytes } from 'node:crypto';
import { DerTag, contextTag } from '../der/read-der.ts';
import { element, integer, objectId, octets, sequence } from '../der.ts';
import { validatePassphrase } from '../passphrase.ts';
import { EncryptionId, type PassphraseEncryption } from '../x509/encryption.ts';
import { encryptByPassphrase } from './cipher.ts';
import { DerivedFor, derivePkcs12Key, encodePassphrase } from './derive-key.ts';
import { Pkcs12Id, macHashIds } from './object-id.ts';

/** .NET takes 300,000 rounds for each derivation, Windows 600,000 for all of a file (there are three). */
const rounds = 100_000;
/** What old readers are known to bear. */
const legacyRounds = 2048;
const saltBytes = 16;
const desSaltBytes = 8;
const aesBlockBytes = 16;

export interface Pkcs12Option {
  privateKey: KeyObject;
  /** DER; the key's own first, then those above it. */
  certificates: readonly Uint8Array[];
  friendlyName: string;
  passphrase: string;
  legacy?: boolean;
}

export async function writePkcs12(option: Pkcs12Option): Promise<Buffer> {
  const { privateKey, certificates, passphrase, legacy = false } = option;
  validatePassphrase(passphrase);
  const leaf = certificates[0] ?? Buffer.alloc(0);
  const attributes = element(
    DerTag.set,
    writeAttribute(Pkcs12Id.friendlyName, element(DerTag.bmpString, toUtf16(option.friendlyName))),
    writeAttribute(Pkcs12Id.localKeyId, octets(createHash('sha1').update(leaf).digest())),
  );
  const certificateBags = certificates.map((der, at) =>
    writeBag(
      Pkcs12Id.certificateBag,
      sequence(objectId(Pkcs12Id.x509Certificate), explicit(octets(der))),
      at === 0 ? attributes : undefined,
    ),
  );
  const key = await encrypt(privateKey.export({ type: 'pkcs8', format: 'der' }), passphrase, legacy);
  const keyBag = writeBag(Pkcs12Id.shroudedKeyBag, sequence(key.algorithm, octets(key.encrypted)), attributes);
  const safe = await encrypt(sequence(...certificateBags), passphrase, legacy);
  const authenticated = sequence(
    writeContent(
      Pkcs12Id.encryptedData,
      sequence(
        integer(0),
        sequence(objectId(Pkcs12Id.data), safe.algorithm, element(contextTag(0, false), safe.encrypted)),
      ),
    ),
    writeContent(Pkcs12Id.data, octets(sequence(keyBag))),
  );
  return sequence(
    integer(3),
    writeContent(Pkcs12Id.data, octets(authenticated)),
    writeMac(authenticated, passphrase, legacy),
  );
}

async function encrypt(
  plain: Uint8Array,
  passphrase: string,
  legacy: boolean,
): Promise<{ algorithm: Buffer; encrypted: Buffer }> {
  if (legacy) {
    const salt = randomBytes(desSaltBytes);
    const encryption: PassphraseEncryption = {
      scheme: 'pbeWithSHAAnd3-KeyTripleDES-CBC', cipher: 'des-ede3-cbc', keyBytes: 24,
      kdf: 'PKCS12', hash: 'SHA-1', cost: legacyRounds, salt,
    }; // prettier-ignore
    const parameters = sequence(octets(salt), integer(legacyRounds));
    return {
      algorithm: sequence(objectId(EncryptionId.legacy3des), parameters),
      encrypted: await encryptByPassphrase(encryption, plain, passphrase),
    };
  }
  const [salt, iv] = [randomBytes(saltBytes), randomBytes(aesBlockBytes)];
  const encryption: PassphraseEncryption = {
    scheme: 'PBES2', cipher: 'aes-256-cbc', keyBytes: 32, iv,
    kdf: 'PBKDF2', hash: 'SHA-256', cost: rounds, salt,
  }; // prettier-ignore
  const prf = sequence(objectId(EncryptionId.hmacSha256), element(DerTag.null));
  return {
    algorithm: sequence(
      objectId(EncryptionId.pbes2),
      sequence(
        sequence(objectId(EncryptionId.pbkdf2), sequence(octets(salt), integer(rounds), prf)),
        sequence(objectId(EncryptionId.aes256), octets(iv)),
      ),
    ),
    encrypted: await encryptByPassphrase(encryption, plain, passphrase),
  };
}

function writeMac(data: Uint8Array, passphrase: string, legacy: boolean): Buffer {
  const hash = legacy ? 'SHA-1' : 'SHA-256';
  const iterations = legacy ? legacyRounds : rounds;
  const salt = randomBytes(legacy ? desSaltBytes : saltBytes);
  const bytes = legacy ? 20 : 32;
  const derivation = { passphrase: encodePassphrase(passphrase), hash, salt, iterations };
  const digest = createHmac(hash.replace('-', ''), derivePkcs12Key(derivation, DerivedFor.mac, bytes))
    .update(data)
    .digest();
  const [id = ''] = Object.entries(macHashIds).find(([, name]) => name === hash) ?? [];
  const algorithm = sequence(objectId(id), element(DerTag.null));
  return sequence(sequence(algorithm, octets(digest)), octets(salt), integer(iterations));
}

function writeContent(type: string, value: Buffer): Buffer {
  return sequence(objectId(type), explicit(value));
}

function writeBag(type: string, value: Buffer, attributes: Buffer | undefined): Buffer {
  return sequence(objectId(type), explicit(value), attributes ?? Buffer.alloc(0));
}

function writeAttribute(type: string, value: Buffer): Buffer {
  return sequence(objectId(type), element(DerTag.set, value));
}

function explicit(value: Buffer): Buffer {
  return element(contextTag(0, true), value);
}

function toUtf16(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}
