import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatChanged } from '../../src/cli/render/device.ts';
import type { Changed } from '../../src/client/contract/index.ts';

export default class Remove extends BaseCommand<Changed> {
  static override description = `forget one device: its connection is cut, its record, grains and tags are gone
Its certificate still holds: should it connect again, it waits in pending. To keep it out for good, revoke first: flotilla cert revoke. Its events stay in the log. Asks to type the id, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-007 --yes
removed 1 device: gw-007`,
  ];
  static override args = { device: Args.string({ description: 'the id of the device', required: true }) };
  static override flags = { yes: Flags.boolean({ char: 'y', description: 'do not ask' }) };

  protected async execute(): Promise<Changed> {
    const { args, flags } = await this.parse(Remove);
    const client = await openClient(flags);
    await confirmTyped({
      warning: `removing ${args.device} can't be undone: its grains, tags and open jobs are gone`,
      answer: args.device,
      yes: flags.yes,
      json: this.json,
    });
    return client.removeDevice(args.device);
  }

  protected render(changed: Changed): void {
    this.print(formatChanged('removed', changed));
  }
}
