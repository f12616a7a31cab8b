/** Encryption by a passphrase: modern by node:crypto, and the RC2 of old files, which OpenSSL 3 left out, by node-forge. */
import { createCipheriv, createDecipheriv, pbkdf2, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';
import { FlotillaError } from '../../error.ts';
import type { PassphraseEncryption } from '../x509/encryption.ts';
import { DerivedFor, derivePkcs12Key, encodePassphrase } from './derive-key.ts';

/** A file says itself how much work its passphrase takes: no more than some seconds of it. */
export const maxDerivationRounds = 5_000_000;
/** Of scrypt: 128·N·r bytes. */
const maxScryptBytes = 256 * 1024 * 1024;
const desBlockBytes = 8;

/** The plain bytes; undefined when the passphrase is not the right one (its padding does not come out). */
export async function decryptByPassphrase(
  encryption: PassphraseEncryption,
  encrypted: Uint8Array,
  passphrase: string,
): Promise<Buffer | undefined> {
  requireBearable(encryption);
  const { key, iv } = await deriveKey(encryption, passphrase);
  if (encryption.cipher.startsWith('rc2-')) return decryptRc2(encryption, key, iv, encrypted);
  try {
    const decipher = createDecipheriv(encryption.cipher, key, iv);
    return Buffer.concat([decipher.update(encrypted), decipher.final()]);
  } catch {
    return undefined;
  }
}

export async function encryptByPassphrase(
  encryption: PassphraseEncryption,
  plain: Uint8Array,
  passphrase: string,
): Promise<Buffer> {
  const { key, iv } = await deriveKey(encryption, passphrase);
  const cipher = createCipheriv(encryption.cipher, key, iv);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

/** @throws `pki-encryption-unknown`, `pki-encryption-cost` */
export function requireBearable({ scheme, cipher, kdf, cost, keyBytes, scrypt: costs }: PassphraseEncryption): void {
  if (kdf === 'unknown' || keyBytes === 0) {
    throw new FlotillaError('usage', 'pki-encryption-unknown', 'it is encrypted in a way that is not known here', {
      seen: `${scheme}, ${cipher}`,
      expected: 'PBES2 with AES or 3DES, or the 3DES and RC2 of old PKCS#12',
    });
  }
  requireRounds(cost);
  if (costs !== undefined && 128 * costs.N * costs.r > maxScryptBytes) throw tooCostly(`scrypt with N=${costs.N}`);
}

export function requireRounds(rounds: number): void {
  if (rounds < 1 || rounds > maxDerivationRounds) throw tooCostly(`${rounds} rounds`);
}

function tooCostly(seen: string): FlotillaError {
  return new FlotillaError('refused', 'pki-encryption-cost', 'its passphrase would take too much work to try', {
    seen,
    expected: `at most ${maxDerivationRounds} rounds`,
    suggestion: 'export it again with fewer rounds, from where it was made',
  });
}

async function deriveKey(encryption: PassphraseEncryption, passphrase: string): Promise<{ key: Buffer; iv: Buffer }> {
  const { kdf, hash = 'SHA-1', salt, cost: iterations, keyBytes } = encryption;
  if (kdf === 'PKCS12') {
    const derivation = { passphrase: encodePassphrase(passphrase), hash, salt, iterations };
    return {
      key: derivePkcs12Key(derivation, DerivedFor.key, keyBytes),
      iv: derivePkcs12Key(derivation, DerivedFor.iv, desBlockBytes),
    };
  }
  const iv = Buffer.from(encryption.iv ?? []);
  if (encryption.scrypt !== undefined) {
    const cost = { ...encryption.scrypt, maxmem: maxScryptBytes + 1024 * 1024 };
    const derive = promisify<string, Uint8Array, number, object, Buffer>(scrypt);
    return { key: await derive(passphrase, salt, keyBytes, cost), iv };
  }
  return { key: await promisify(pbkdf2)(passphrase, salt, iterations, keyBytes, hash.replace('-', '')), iv };
}

function decryptRc2(
  { cipher, keyBytes }: PassphraseEncryption,
  key: Buffer,
  iv: Buffer,
  encrypted: Uint8Array,
): Buffer | undefined {
  const binary = (bytes: Uint8Array) => forge.util.createBuffer(Buffer.from(bytes).toString('binary'));
  const rc2 = forge.rc2.createDecryptionCipher(binary(key), cipher === 'rc2-40-cbc' ? 40 : keyBytes * 8);
  rc2.start(binary(iv));
  rc2.update(binary(encrypted));
  return rc2.finish() ? Buffer.from(rc2.output.getBytes(), 'binary') : undefined;
}
