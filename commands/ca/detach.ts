import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { requireRootKey, rootFlags } from '../../src/cli/root-authority.ts';
import { checkExport, exportRoot, refuseInside, removeRootKey } from '../../src/cli/root-file.ts';
import { findFleetDir, fleetLayout } from '../../src/config/index.ts';

interface Detached {
  fleetId: string;
  export: string;
  removed: string[];
}

export default class Detach extends BaseCommand<Detached> {
  static override description = `take the root key off this machine; the coordinator goes on without it
Writes an export first (--out), or opens one that is there (--export), and only then removes the key. It is overwritten before it is removed; a flash disk or a snapshot may still hold it. Asks to type the fleet's id, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --out /media/safe/root.export
Passphrase of the root key:
Type harbour-k3f9x2 to go on: harbour-k3f9x2
the root of harbour-k3f9x2 is in /media/safe/root.export and no longer here
make a second copy of it: without one, the fleet can never get another issuing authority`,
    '<%= config.bin %> <%= command.id %> --export /media/safe/root.export --passphrase-file root.pass --yes',
  ];
  static override flags = {
    'passphrase-file': rootFlags['passphrase-file'],
    out: Flags.file({
      description: 'write the export here, outside of the fleet; never overwrites',
      exactlyOne: ['out', 'export'],
      helpValue: 'FILE',
    }),
    export: Flags.file({ description: 'an export that is there already', helpValue: 'FILE' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<Detached> {
    const { flags } = await this.parse(Detach);
    const layout = fleetLayout(await findFleetDir(flags['fleet-dir']));
    const file = (flags.out ?? flags.export)!;
    requireRootKey(layout);
    refuseInside(layout, file);
    const { fleetId } =
      flags.out === undefined
        ? await checkExport(layout, file, flags['passphrase-file'])
        : await exportRoot(layout, file, flags['passphrase-file']);
    await confirmTyped({
      warning: `the root key is removed from this machine; ${file} has it from then on`,
      answer: fleetId,
      yes: flags.yes,
      json: this.json,
    });
    return { fleetId, export: file, removed: await removeRootKey(layout) };
  }

  protected render({ fleetId, export: file }: Detached): void {
    this.print(
      `the root of ${fleetId} is in ${file} and no longer here\n` +
        'make a second copy of it: without one, the fleet can never get another issuing authority',
    );
  }
}
