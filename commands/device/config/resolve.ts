import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { readSettings } from '../../../src/cli/read-settings.ts';
import { formatConfigState } from '../../../src/cli/render/config.ts';
import type { ConfigResolve, ConfigView } from '../../../src/client/contract/index.ts';

export default class Resolve extends BaseCommand<ConfigView> {
  static override description = `decide what a document on a device shall be, whatever both sides have changed
desired: what was last set, over the device's own changes; reported: what the device has; or a YAML or JSON file (./desired for a file of that name). Goes out as a new version. Also without a conflict, to take a device's own changes back.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-003 limits --take reported
limits: sent, version 5, revision 8 on the device`,
    '<%= config.bin %> <%= command.id %> gw-003 limits --take merged.yaml',
  ];
  static override args = {
    device: Args.string({ description: 'the id of the device', required: true }),
    name: Args.string({ description: 'the name of the document', required: true }),
  };
  static override flags = {
    take: Flags.string({
      description: 'desired, reported, or a file; - is stdin',
      required: true,
      helpValue: 'SIDE|FILE',
    }),
  };

  protected async execute(): Promise<ConfigView> {
    const { args, flags } = await this.parse(Resolve);
    const { take } = flags;
    const resolve: ConfigResolve =
      take === 'desired' || take === 'reported' ? { take } : { take: 'document', document: await readSettings(take) };
    const client = await openClient(flags);
    return client.resolveConfig(args.device, args.name, resolve);
  }

  protected render(config: ConfigView): void {
    this.print(`${formatConfigState(config)}\n`);
  }
}
