/** The root authority as a command gets it: from an export, or from the fleet's folder, with its passphrase. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Flags } from '@oclif/core';
import { findFleetDir } from '../config/fleet-dir.ts';
import { type FleetLayout, fleetLayout } from '../config/fleet-layout.ts';
import { FlotillaError } from '../error.ts';
import { loadRootAuthority } from '../pki/authority.ts';
import type { Authority } from '../pki/issue.ts';
import { readPassphraseFile } from '../pki/passphrase.ts';
import { readRootExport } from '../pki/root-export.ts';
import { askSecret } from './ask-secret.ts';

export const rootFlags = {
  root: Flags.file({
    description: "the root, as ca export-root wrote it; by default the one in the fleet's folder",
    helpValue: 'FILE',
  }),
  'passphrase-file': Flags.string({
    description: 'file whose first line opens the root key; mode 0600, or a pipe such as /dev/stdin',
    helpValue: 'FILE',
  }),
};

export interface RootSource {
  root: string | undefined;
  passphraseFile: string | undefined;
  fleetDir: string | undefined;
}

/** Asks for the passphrase where none was given. */
export async function openRoot({ root, passphraseFile, fleetDir }: RootSource): Promise<Authority> {
  if (root !== undefined) return readRootExport(root, await passphraseOf(passphraseFile));
  const layout = fleetLayout(await findFleetDir(fleetDir));
  const { rootCertificate: certificateFile } = layout;
  if (existsSync(layout.rootKey)) return loadRootAuthority({ certificateFile, keyFile: layout.rootKey });
  requireRootKey(layout);
  const passphrase = await passphraseOf(passphraseFile);
  return loadRootAuthority({ certificateFile, keyFile: layout.rootKeyEncrypted, passphrase });
}

export function requireRootKey(layout: FleetLayout): void {
  if (existsSync(layout.rootKey) || existsSync(layout.rootKeyEncrypted)) return;
  throw new FlotillaError('usage', 'root-detached', 'the key of the root is not on this machine', {
    seen: `no root.key.enc in ${layout.pki}`,
    expected: 'an attached root, or its export',
    suggestion: 'name the export with --root FILE, or bring it back: flotilla ca attach FILE',
  });
}

export async function passphraseOf(file: string | undefined): Promise<string> {
  if (file !== undefined) return readPassphraseFile(file);
  if (process.stdin.isTTY && process.stderr.isTTY) return askSecret('Passphrase of the root key');
  throw new FlotillaError('usage', 'root-no-passphrase', 'there is no terminal to ask for the passphrase of the root', {
    suggestion: 'give --passphrase-file FILE',
  });
}

export function readRootCertificate(layout: FleetLayout): Promise<string> {
  return readFile(layout.rootCertificate, 'utf8');
}
