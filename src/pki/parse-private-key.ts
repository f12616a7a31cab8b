/** Private keys read back from PEM. Apart from key.ts, so that an agent needs node:crypto alone. */
import { type KeyObject, createPrivateKey } from 'node:crypto';
import { FlotillaError } from '../error.ts';

const encryptedHeader = '-----BEGIN ENCRYPTED PRIVATE KEY-----';

export function isEncryptedKey(pem: string): boolean {
  return pem.includes(encryptedHeader);
}

/** Reads a private key's PEM text; `source` names it in errors. */
export function parsePrivateKey(pem: string, source: string, passphrase?: string): KeyObject {
  const encrypted = isEncryptedKey(pem);
  if (encrypted && passphrase === undefined) {
    throw new FlotillaError('usage', 'pki-passphrase-needed', `${source} is encrypted and no passphrase was given`, {
      suggestion: 'give the passphrase with --passphrase-file FILE',
    });
  }
  try {
    return createPrivateKey({
      key: pem,
      format: 'pem',
      ...(encrypted && passphrase !== undefined ? { passphrase } : {}),
    });
  } catch (error) {
    if (encrypted) {
      throw new FlotillaError('usage', 'pki-passphrase-wrong', `${source} does not open with this passphrase`, {
        suggestion: 'check the passphrase; if it is right, the file is damaged: restore it from a backup',
        cause: error,
      });
    }
    throw new FlotillaError('usage', 'pki-key-malformed', `${source} holds no private key that can be read`, {
      expected: 'a PEM text that starts with -----BEGIN PRIVATE KEY-----',
      cause: error,
    });
  }
}
