import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatChanged } from '../../src/cli/render/device.ts';
import type { Changed } from '../../src/client/contract/index.ts';

export default class Accept extends BaseCommand<Changed> {
  static override description = `let devices into the fleet that wait in pending, were rejected or are quarantined
With --instance only that history of the device is let in from now on: the way out when two machines have one identity, and you know which is yours. \`device show\` tells the instances; accepting without it lets any history in again.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001
accepted 1 device: gw-001`,
    "<%= config.bin %> <%= command.id %> 'gw-1*' --json",
    '<%= config.bin %> <%= command.id %> gw-001 --instance 3f9ac04d5e6b7a81',
  ];
  static override args = { selector: Args.string({ description: 'which devices', required: true }) };

  static override flags = {
    instance: Flags.string({ description: 'only this history of it; 16 hex digits', helpValue: 'HEX' }),
  };

  protected async execute(): Promise<Changed> {
    const { args, flags } = await this.parse(Accept);
    const client = await openClient(flags);
    return client.acceptDevices(args.selector, flags.instance?.toLowerCase());
  }

  protected render(changed: Changed): void {
    this.print(formatChanged('accepted', changed));
  }
}
