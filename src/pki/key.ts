/** Private keys: made, and written as PKCS#8 PEM (plain, or encrypted by scrypt and AES-256-CBC). */
import { type KeyObject, generateKeyPair, randomBytes, scrypt, createCipheriv } from 'node:crypto';
import { promisify } from 'node:util';
import { integer, objectId, octets, sequence } from './der.ts';
import { validatePassphrase } from './passphrase.ts';

/** Cost of a guess at a passphrase. N is at the 32 MiB that OpenSSL allows when it reads such a file; p makes up for it. */
const scryptCost = { N: 2 ** 14, r: 8, p: 5 } as const;
const saltBytes = 16;
const keyBytes = 32;
const blockBytes = 16;

/** A new EC P-256 key. */
export async function createKey(): Promise<KeyObject> {
  return (await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })).privateKey;
}

export function formatPrivateKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/**
 * PKCS#8 encrypted by PBES2 with scrypt (RFC 7914, RFC 8018): what `openssl pkcs8 -topk8 -scrypt` writes and what
 * `openssl pkey` reads. Built here because node:crypto's own export derives the key by PBKDF2 with 2,048 rounds.
 */
export async function encryptPrivateKey(key: KeyObject, passphrase: string): Promise<string> {
  validatePassphrase(passphrase);
  const salt = randomBytes(saltBytes);
  const iv = randomBytes(blockBytes);
  const derived = await promisify<string, Buffer, number, object, Buffer>(scrypt)(
    passphrase,
    salt,
    keyBytes,
    scryptCost,
  );
  const cipher = createCipheriv('aes-256-cbc', derived, iv);
  const plain = key.export({ type: 'pkcs8', format: 'der' }) as Buffer;
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  const der = sequence(
    sequence(
      objectId('1.2.840.113549.1.5.13'), // PBES2
      sequence(
        sequence(
          objectId('1.3.6.1.4.1.11591.4.11'), // scrypt
          sequence(octets(salt), integer(scryptCost.N), integer(scryptCost.r), integer(scryptCost.p)),
        ),
        sequence(objectId('2.16.840.1.101.3.4.1.42'), octets(iv)), // aes256-CBC-PAD
      ),
    ),
    octets(encrypted),
  );
  return formatPem('ENCRYPTED PRIVATE KEY', der);
}

/** PEM with lines of 64 characters. */
export function formatPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
