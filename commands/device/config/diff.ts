import { Args } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { formatConfigDiff } from '../../../src/cli/render/config.ts';
import { stdoutOption } from '../../../src/cli/terminal.ts';
import type { ConfigView } from '../../../src/client/contract/index.ts';

export default class Diff extends BaseCommand<ConfigView> {
  static override description = `show where a document that is wanted and the one on the device differ
Each place with what both sides come from, what is wanted, and what the device has. "conflict" means that both sides have changed it.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-003 limits
limits: conflict, version 4, revision 8 on the device
PATH       BASE  DESIRED  REPORTED
/flow/max  10    12       11        conflict
nothing is sent until: flotilla device config resolve gw-003 limits --take desired|reported|FILE`,
    '<%= config.bin %> <%= command.id %> gw-003 limits --json',
  ];
  static override args = {
    device: Args.string({ description: 'the id of the device', required: true }),
    name: Args.string({ description: 'the name of the document', required: true }),
  };

  protected async execute(): Promise<ConfigView> {
    const { args, flags } = await this.parse(Diff);
    const client = await openClient(flags);
    return client.config(args.device, args.name);
  }

  protected render(config: ConfigView): void {
    this.print(formatConfigDiff(config, stdoutOption()));
  }
}
