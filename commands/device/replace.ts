import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatReplacement } from '../../src/cli/render/device.ts';
import type { Replacement } from '../../src/client/contract/index.ts';

export default class Replace extends BaseCommand<Replacement & { dryRun: boolean }> {
  static override description = `let new hardware take over the place of a device
NEW gets the tags and the settings of OLD and is accepted; OLD is revoked and cut off, and what was asked of it and has not happened ends. Both then name each other in \`device show\`, and \`event tail --device NEW --lineage\` reads the history of both. All at once or not at all; there is no way back for OLD's certificates. Asks to type OLD, or takes --yes; with --yes, OLD's tags and settings hold where NEW has others.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-007 gw-107 --dry-run
gw-107 would take the place of gw-007
tags:      ring=canary, site=harbour
settings:  limits
revoked:   1 certificate of gw-007
ends:      job.start j-mfk3v2
nothing was changed`,
    '<%= config.bin %> <%= command.id %> gw-007 gw-107 --yes --json',
  ];
  static override args = {
    old: Args.string({ description: 'the id of the hardware that goes', required: true }),
    new: Args.string({ description: 'the id of the hardware that comes: pending or accepted', required: true }),
  };
  static override flags = {
    'dry-run': Flags.boolean({ description: 'say what would happen, and do nothing' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<Replacement & { dryRun: boolean }> {
    const { args, flags } = await this.parse(Replace);
    const client = await openClient(flags);
    const plan = await client.replaceDevice(args.old, { by: args.new, dryRun: true });
    if (flags['dry-run']) return { ...plan, dryRun: true };
    await confirmTyped({
      warning: `${args.new} takes the place of ${args.old}, whose certificates are revoked for good`,
      answer: args.old,
      yes: flags.yes,
      json: this.json,
    });
    return { ...(await client.replaceDevice(args.old, { by: args.new, overwrite: flags.yes })), dryRun: false };
  }

  protected render(replacement: Replacement & { dryRun: boolean }): void {
    this.print(formatReplacement(replacement));
  }
}
