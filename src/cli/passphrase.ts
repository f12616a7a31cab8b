/** Passphrases of the user: from a file of mode 0600 or from the terminal, never from argv. */
import { FlotillaError } from '../error.ts';
import { minPassphraseBytes, readGivenPassphrase, readPassphraseFile } from '../pki/passphrase.ts';
import { askNewSecret, askSecret } from './ask-secret.ts';

/** A new one, for what is written here. */
export async function newPassphrase(what: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return readPassphraseFile(file);
  requireTerminal(what);
  return askNewSecret(`Passphrase of ${what}`, minPassphraseBytes);
}

/** The one of something that exists. */
export async function knownPassphrase(what: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return readGivenPassphrase(file);
  requireTerminal(what);
  return askSecret(`Passphrase of ${what}`);
}

function requireTerminal(what: string): void {
  if (process.stdin.isTTY && process.stderr.isTTY) return;
  throw new FlotillaError(
    'usage',
    'passphrase-not-given',
    `there is no terminal to ask for the passphrase of ${what}`,
    {
      suggestion: 'give --passphrase-file FILE',
    },
  );
}
