/** Moves of the root key between a fleet's folder and a file that travels. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { FleetLayout } from '../config/fleet-layout.ts';
import { FlotillaError } from '../error.ts';
import { loadRootAuthority } from '../pki/authority.ts';
import type { Authority } from '../pki/issue.ts';
import { minPassphraseBytes } from '../pki/passphrase.ts';
import { shredFile } from '../pki/replace-file.ts';
import { formatRootExport, readRootExport, requireSameRoot } from '../pki/root-export.ts';
import { askNewSecret } from './ask-secret.ts';
import { NewFiles } from './new-file.ts';
import { passphraseOf, readRootCertificate, requireRootKey } from './root-authority.ts';

/** Writes the export, mode 0600, and reads it again from the disk. A key without a passphrase gets one on its way. */
export async function exportRoot(
  layout: FleetLayout,
  out: string,
  passphraseFile: string | undefined,
): Promise<Authority> {
  requireRootKey(layout);
  const { rootCertificate: certificateFile } = layout;
  await using files = new NewFiles();
  await files.reserve(out, 0o600);
  const isPlain = existsSync(layout.rootKey);
  const passphrase =
    isPlain && passphraseFile === undefined && process.stdin.isTTY
      ? await askNewSecret('Passphrase for the root key', minPassphraseBytes)
      : await passphraseOf(passphraseFile);
  const root = isPlain
    ? await loadRootAuthority({ certificateFile, keyFile: layout.rootKey })
    : await loadRootAuthority({ certificateFile, keyFile: layout.rootKeyEncrypted, passphrase });
  await files.fill(out, await formatRootExport(root, passphrase, Date.now()));
  const again = await readRootExport(out, passphrase);
  requireSameRoot(again, await readRootCertificate(layout), out);
  files.keep();
  return again;
}

/** An export that is there already: it opens, and it is of this root. */
export async function checkExport(
  layout: FleetLayout,
  file: string,
  passphraseFile: string | undefined,
): Promise<Authority> {
  const root = await readRootExport(file, await passphraseOf(passphraseFile));
  requireSameRoot(root, await readRootCertificate(layout), file);
  return root;
}

/** A copy in the folder that it is to be taken out of is none. */
export function refuseInside(layout: FleetLayout, file: string): void {
  const fleet = `${realpathSync(dirname(layout.pki))}${sep}`;
  const folder = existsSync(dirname(file)) ? realpathSync(dirname(file)) : dirname(file);
  if (!join(folder, sep).startsWith(fleet)) return;
  throw new FlotillaError('refused', 'root-export-inside', "the export lies in the fleet's own folder", {
    seen: file,
    expected: 'a place that is not this folder, and better not this machine',
  });
}

/** The certificate stays: it is what everybody trusts. */
export async function removeRootKey(layout: FleetLayout): Promise<string[]> {
  const removed = [layout.rootKey, layout.rootKeyEncrypted].filter((path) => existsSync(path));
  for (const path of removed) await shredFile(path);
  return removed;
}
