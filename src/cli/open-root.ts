import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fleetLayout } from '../config/fleet-layout.ts';
import { findFleetDir } from '../config/fleet-dir.ts';
import { FlotillaError } from '../error.ts';
import { loadRootAuthority } from '../pki/authority.ts';
import type { Authority } from '../pki/issue.ts';
import { readPassphraseFile } from '../pki/passphrase.ts';
import { askKnownSecret } from './ask-known-secret.ts';

export interface RootFlags {
  fleetDir: string | undefined;
  key: string | undefined;
  certificate: string | undefined;
  passphraseFile: string | undefined;
}

/** The root authority: of this fleet's folder, or from the files that were carried away from it. */
export async function openRoot({ fleetDir, key, certificate, passphraseFile }: RootFlags): Promise<Authority> {
  const layout = key === undefined || certificate === undefined ? fleetLayout(await findFleetDir(fleetDir)) : undefined;
  const keyFile = key ?? [layout!.rootKeyEncrypted, layout!.rootKey].find((path) => existsSync(path));
  if (keyFile === undefined) {
    throw new FlotillaError('usage', 'root-key-away', 'the root key is not on this machine', {
      seen: `neither ${layout!.rootKeyEncrypted} nor ${layout!.rootKey}`,
      suggestion: 'name the copy: --root-key FILE, and --root-certificate FILE where pki/ is not',
    });
  }
  const certificateFile = certificate ?? layout!.rootCertificate;
  const isEncrypted = (await readFile(keyFile, 'utf8').catch(() => '')).includes('ENCRYPTED');
  if (!isEncrypted) return loadRootAuthority({ certificateFile, keyFile });
  const passphrase =
    passphraseFile === undefined
      ? await askKnownSecret('Passphrase of the root key', 'give it by --passphrase-file FILE')
      : await readPassphraseFile(passphraseFile);
  return loadRootAuthority({ certificateFile, keyFile, passphrase });
}
