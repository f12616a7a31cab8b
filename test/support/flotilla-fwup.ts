/** `flotilla-fwup` as scripts find it: on PATH, under the name of fwup. */
import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { top } from './cli.ts';

export const fwupLauncher = join(top, 'src', 'bin', 'fwup-launcher.cjs');

/** Installs it into a folder; gives a PATH that begins with it and with the Node that runs the tests. */
export async function installAsFwup(folder: string): Promise<string> {
  await symlink(fwupLauncher, join(folder, 'fwup'));
  await symlink(process.execPath, join(folder, 'node'));
  return [folder, dirname(process.execPath), process.env['PATH']].join(':');
}
