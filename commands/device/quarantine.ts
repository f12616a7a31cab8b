import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatChanged } from '../../src/cli/render/device.ts';
import type { Changed } from '../../src/client/contract/index.ts';

export default class Quarantine extends BaseCommand<Changed> {
  static override description = `hold devices back until somebody has looked at them
Their connections are closed and come back with the control lane alone: they go on telling what matters and can be looked at, but get no job, no update, no settings and no request, and what they measure waits on them. \`device accept\` lets them back in.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001 --reason 'odd readings since Monday'
quarantined 1 device: gw-001`,
    "<%= config.bin %> <%= command.id %> 'G@site:harbour' --reason flood --json",
  ];
  static override args = { selector: Args.string({ description: 'which devices', required: true }) };
  static override flags = {
    reason: Flags.string({ description: 'why, for whoever looks at them', required: true }),
  };

  protected async execute(): Promise<Changed> {
    const { args, flags } = await this.parse(Quarantine);
    const client = await openClient(flags);
    return client.quarantineDevices({ selector: args.selector, reason: flags.reason });
  }

  protected render(changed: Changed): void {
    this.print(formatChanged('quarantined', changed));
  }
}
