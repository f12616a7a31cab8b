import { existsSync } from 'node:fs';
import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { rootFlags } from '../../src/cli/root-authority.ts';
import { checkExport } from '../../src/cli/root-file.ts';
import { findFleetDir, fleetLayout } from '../../src/config/index.ts';
import { FlotillaError } from '../../src/error.ts';
import { keyOfExport, readSecretFile, writeSecretFile } from '../../src/pki/index.ts';

interface Attached {
  fleetId: string;
  key: string;
}

export default class Attach extends BaseCommand<Attached> {
  static override description = `put an exported root key back into the fleet's folder, encrypted as it is
Refused when it is the root of another fleet, or does not open with the passphrase. For a single rotation, \`ca rotate --root FILE\` needs no attaching.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> /media/safe/root.export
Passphrase of the root key:
the root key of harbour-k3f9x2 is in /home/me/harbour/pki/root.key.enc`,
    '<%= config.bin %> <%= command.id %> root.export --passphrase-file root.pass --json',
  ];
  static override args = {
    file: Args.file({ description: 'what ca export-root or ca detach has written', required: true }),
  };
  static override flags = { 'passphrase-file': rootFlags['passphrase-file'] };

  protected async execute(): Promise<Attached> {
    const { args, flags } = await this.parse(Attach);
    const layout = fleetLayout(await findFleetDir(flags['fleet-dir']));
    if (existsSync(layout.rootKey) || existsSync(layout.rootKeyEncrypted)) {
      throw new FlotillaError('refused', 'root-attached', 'the root key is here already', {
        suggestion: 'flotilla ca detach takes it away',
      });
    }
    const { fleetId } = await checkExport(layout, args.file, flags['passphrase-file']);
    const text = (await readSecretFile(args.file)).toString('utf8');
    await writeSecretFile(layout.rootKeyEncrypted, keyOfExport(text));
    return { fleetId, key: layout.rootKeyEncrypted };
  }

  protected render({ fleetId, key }: Attached): void {
    this.print(`the root key of ${fleetId} is in ${key}`);
  }
}
