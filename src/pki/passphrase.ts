/** Passphrases of private keys, from files. */
import { FlotillaError } from '../error.ts';
import { readSecretFile } from './secret-file.ts';

export const minPassphraseBytes = 8;

export function validatePassphrase(passphrase: string): void {
  if (Buffer.byteLength(passphrase) >= minPassphraseBytes) return;
  throw new FlotillaError('usage', 'pki-passphrase-short', 'the passphrase is too short', {
    expected: `at least ${minPassphraseBytes} bytes; several words are best`,
  });
}

/** The first line of a file of mode 0600 (or of a pipe), as OpenSSL's `-passin file:` takes it. */
export async function readPassphraseFile(path: string): Promise<string> {
  const line = await readGivenPassphrase(path);
  validatePassphrase(line);
  return line;
}

/** The same of any length, for what somebody else has encrypted. */
export async function readGivenPassphrase(path: string): Promise<string> {
  const [line = ''] = (await readSecretFile(path)).toString('utf8').split(/\r?\n/);
  return line;
}
