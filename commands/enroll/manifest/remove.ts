import { Args } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';

export default class Remove extends BaseCommand<{ removed: string[] }> {
  static override description = `expect devices no more
Those that have come stay in the fleet: flotilla device remove forgets them.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> meter-1 meter-2
no longer expected: meter-1, meter-2`,
  ];
  static override strict = false;
  static override args = { id: Args.string({ description: 'device ids; as many as you like', required: true }) };

  protected async execute(): Promise<{ removed: string[] }> {
    const { argv, flags } = await this.parse(Remove);
    const client = await openClient(flags);
    return client.removeFromManifest(argv as string[]);
  }

  protected render({ removed }: { removed: string[] }): void {
    this.print(`no longer expected: ${removed.join(', ')}`);
  }
}
