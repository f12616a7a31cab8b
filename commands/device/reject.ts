import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatChanged } from '../../src/cli/render/device.ts';
import type { Changed } from '../../src/client/contract/index.ts';

export default class Reject extends BaseCommand<Changed> {
  static override description = 'keep devices out: their connections are cut and no new one is let in';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001
rejected 1 device: gw-001`,
    "<%= config.bin %> <%= command.id %> 'gw-1*' --json",
  ];
  static override args = { selector: Args.string({ description: 'which devices', required: true }) };

  protected async execute(): Promise<Changed> {
    const { args, flags } = await this.parse(Reject);
    const client = await openClient(flags);
    return client.rejectDevices(args.selector);
  }

  protected render(changed: Changed): void {
    this.print(formatChanged('rejected', changed));
  }
}
