import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { openClient } from '../../src/cli/open-client.ts';

interface Removed {
  removed: string;
}

export default class Remove extends BaseCommand<Removed> {
  static override description = `forget a named selector
Refused (exit code 6) while another group or a consumer names it. Asks to type the name, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> canary --yes
removed the group canary`,
  ];
  static override args = { name: Args.string({ description: 'the group', required: true }) };
  static override flags = { yes: Flags.boolean({ char: 'y', description: 'do not ask' }) };

  protected async execute(): Promise<Removed> {
    const { args, flags } = await this.parse(Remove);
    const client = await openClient(flags);
    await confirmTyped({
      warning: `N@${args.name} will be refused in every selector from now on`,
      answer: args.name,
      yes: flags.yes,
      json: this.json,
    });
    return client.removeGroup(args.name);
  }

  protected render({ removed }: Removed): void {
    this.print(`removed the group ${removed}`);
  }
}
