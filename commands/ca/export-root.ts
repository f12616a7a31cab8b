import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { rootFlags } from '../../src/cli/root-authority.ts';
import { exportRoot } from '../../src/cli/root-file.ts';
import { findFleetDir, fleetLayout } from '../../src/config/index.ts';

interface Exported {
  fleetId: string;
  file: string;
}

export default class ExportRoot extends BaseCommand<Exported> {
  static override description = `write the root authority into one file that can be taken away: certificate and encrypted key
The passphrase is tried first, and the written file is read and opened again. OpenSSL reads it, too. Nothing is removed: see \`ca detach\`.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --out /media/safe/root.export
Passphrase of the root key:
wrote /media/safe/root.export: the root of harbour-k3f9x2; it opens with this passphrase`,
    '<%= config.bin %> <%= command.id %> --out root.export --passphrase-file root.pass --json',
  ];
  static override flags = {
    'passphrase-file': rootFlags['passphrase-file'],
    out: Flags.file({ description: 'the file, mode 0600; never overwrites', required: true, helpValue: 'FILE' }),
  };

  protected async execute(): Promise<Exported> {
    const { flags } = await this.parse(ExportRoot);
    const layout = fleetLayout(await findFleetDir(flags['fleet-dir']));
    const { fleetId } = await exportRoot(layout, flags.out, flags['passphrase-file']);
    return { fleetId, file: flags.out };
  }

  protected render({ fleetId, file }: Exported): void {
    this.print(`wrote ${file}: the root of ${fleetId}; it opens with this passphrase`);
  }
}
