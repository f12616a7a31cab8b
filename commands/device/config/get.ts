import { Args } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { formatConfig, formatConfigs } from '../../../src/cli/render/config.ts';
import type { ConfigView } from '../../../src/client/contract/index.ts';

export default class Get extends BaseCommand<ConfigView | ConfigView[]> {
  static override description = `show the settings of a device: what it has, what is wanted, and where that stands
local: only the device has told it; pending: not sent yet; sent: no answer yet; applied, rejected: what the device says; conflict: both sides changed the same, nothing is sent until it is resolved. Without a name, all documents. With --json the whole: desired, reported, base and where they differ.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001
limits: applied, version 3, revision 7 on the device
network: rejected, version 1 (no such interface: eth9)`,
    `$ <%= config.bin %> <%= command.id %> gw-001 limits
limits: applied, version 3, revision 7 on the device
set 2026-11-22 21:30:05Z by local:1000
reported 2026-11-22 21:30:06Z

{
  "flow": {
    "max": 12
  }
}`,
  ];
  static override args = {
    device: Args.string({ description: 'the id of the device', required: true }),
    name: Args.string({ description: 'the name of the document; all when left out' }),
  };

  protected async execute(): Promise<ConfigView | ConfigView[]> {
    const { args, flags } = await this.parse(Get);
    const client = await openClient(flags);
    return args.name === undefined ? client.configs(args.device) : client.config(args.device, args.name);
  }

  protected render(found: ConfigView | ConfigView[]): void {
    this.print(Array.isArray(found) ? formatConfigs(found) : formatConfig(found));
  }
}
