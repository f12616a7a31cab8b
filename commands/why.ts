import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../src/cli/base-command.ts';
import { defined } from '../src/cli/defined.ts';
import { openClient } from '../src/cli/open-client.ts';
import { formatWhy } from '../src/cli/render/why.ts';
import { stdoutOption } from '../src/cli/terminal.ts';
import type { Why as Answer } from '../src/client/contract/index.ts';

export default class Why extends BaseCommand<Answer> {
  static override description = `say why a device has or has not got an update: every rule in order, with its verdict
The first rule that blocks is the answer. Of a device that is no target it names the term of the selector that says no; of one that has its end behind it, the cause and the evidence, also in rollouts of long ago (--rollout).`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-009
gw-009 in rollout r-81ac of harbour-gateway/2.0.0/stable
  ok       known      seen 3m20s ago
  ok       accepted   since 2026-11-20
  blocks   connected  offline for 2h5m
gw-009 waits until it connects again`,
    '<%= config.bin %> <%= command.id %> gw-009 --rollout r-81ac --json',
  ];
  static override args = { device: Args.string({ description: 'the id of the device', required: true }) };
  static override flags = {
    rollout: Flags.string({
      description: 'in this rollout; the newest that has the device when left out',
      helpValue: 'ID',
    }),
  };

  protected async execute(): Promise<Answer> {
    const { args, flags } = await this.parse(Why);
    const client = await openClient(flags);
    return client.why(args.device, defined({ rollout: flags.rollout }));
  }

  protected render(why: Answer): void {
    this.print(formatWhy(why, stdoutOption()));
  }
}
