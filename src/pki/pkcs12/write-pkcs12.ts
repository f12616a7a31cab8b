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
import { writeElement, writeInteger, writeObjectId, writeOctets, writeSequence } from '../der/write-der.ts';
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
  const attributes = writeElement(
    DerTag.set,
    writeAttribute(Pkcs12Id.friendlyName, writeElement(DerTag.bmpString, toUtf16(option.friendlyName))),
    writeAttribute(Pkcs12Id.localKeyId, writeOctets(createHash('sha1').update(leaf).digest())),
  );
  const certificateBags = certificates.map((der, at) =>
    writeBag(
      Pkcs12Id.certificateBag,
      writeSequence(writeObjectId(Pkcs12Id.x509Certificate), explicit(writeOctets(der))),
      at === 0 ? attributes : undefined,
    ),
  );
  const key = await encrypt(privateKey.export({ type: 'pkcs8', format: 'der' }), passphrase, legacy);
  const keyBag = writeBag(
    Pkcs12Id.shroudedKeyBag,
    writeSequence(key.algorithm, writeOctets(key.encrypted)),
    attributes,
  );
  const safe = await encrypt(writeSequence(...certificateBags), passphrase, legacy);
  const authenticated = writeSequence(
    writeContent(
      Pkcs12Id.encryptedData,
      writeSequence(
        writeInteger(0),
        writeSequence(writeObjectId(Pkcs12Id.data), safe.algorithm, writeElement(contextTag(0, false), safe.encrypted)),
      ),
    ),
    writeContent(Pkcs12Id.data, writeOctets(writeSequence(keyBag))),
  );
  return writeSequence(
    writeInteger(3),
    writeContent(Pkcs12Id.data, writeOctets(authenticated)),
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
    const parameters = writeSequence(writeOctets(salt), writeInteger(legacyRounds));
    return {
      algorithm: writeSequence(writeObjectId(EncryptionId.legacy3des), parameters),
      encrypted: await encryptByPassphrase(encryption, plain, passphrase),
    };
  }
  const [salt, iv] = [randomBytes(saltBytes), randomBytes(aesBlockBytes)];
  const encryption: PassphraseEncryption = {
    scheme: 'PBES2', cipher: 'aes-256-cbc', keyBytes: 32, iv,
    kdf: 'PBKDF2', hash: 'SHA-256', cost: rounds, salt,
  }; // prettier-ignore
  const prf = writeSequence(writeObjectId(EncryptionId.hmacSha256), writeElement(DerTag.null));
  return {
    algorithm: writeSequence(
      writeObjectId(EncryptionId.pbes2),
      writeSequence(
        writeSequence(writeObjectId(EncryptionId.pbkdf2), writeSequence(writeOctets(salt), writeInteger(rounds), prf)),
        writeSequence(writeObjectId(EncryptionId.aes256), writeOctets(iv)),
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
  const algorithm = writeSequence(writeObjectId(id), writeElement(DerTag.null));
  return writeSequence(writeSequence(algorithm, writeOctets(digest)), writeOctets(salt), writeInteger(iterations));
}

function writeContent(type: string, value: Buffer): Buffer {
  return writeSequence(writeObjectId(type), explicit(value));
}

function writeBag(type: string, value: Buffer, attributes: Buffer | undefined): Buffer {
  return writeSequence(writeObjectId(type), explicit(value), attributes ?? Buffer.alloc(0));
}

function writeAttribute(type: string, value: Buffer): Buffer {
  return writeSequence(writeObjectId(type), writeElement(DerTag.set, value));
}

function explicit(value: Buffer): Buffer {
  return writeElement(contextTag(0, true), value);
}

function toUtf16(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}
