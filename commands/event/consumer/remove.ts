import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { confirmTyped } from '../../../src/cli/confirm.ts';
import { openClient } from '../../../src/cli/open-client.ts';

interface Removed {
  removed: string;
}

export default class Remove extends BaseCommand<Removed> {
  static override description = `forget a consumer and its cursor; its stream ends
The events stay. Should the name come again, it begins at the first event. Asks to type the name, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> billing --yes
removed the consumer billing`,
  ];
  static override args = { name: Args.string({ description: 'the consumer', required: true }) };
  static override flags = { yes: Flags.boolean({ char: 'y', description: 'do not ask' }) };

  protected async execute(): Promise<Removed> {
    const { args, flags } = await this.parse(Remove);
    const client = await openClient(flags);
    await confirmTyped({
      warning: `removing ${args.name} can't be undone: what it has seen is not known any more`,
      answer: args.name,
      yes: flags.yes,
      json: this.json,
    });
    return client.removeConsumer(args.name);
  }

  protected render({ removed }: Removed): void {
    this.print(`removed the consumer ${removed}`);
  }
}
