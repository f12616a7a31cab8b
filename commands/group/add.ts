import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { plural } from '../../src/cli/human.ts';
import { openClient } from '../../src/cli/open-client.ts';
import type { GroupAdded } from '../../src/client/contract/index.ts';

export default class Add extends BaseCommand<GroupAdded> {
  static override description = `give a selector a name; N@NAME stands for it in every other one
A group always stands for itself as a whole, as if it were in parentheses. It may name other groups, but not lead back to itself. Jobs and rollouts keep the devices that they were started with, whatever becomes of the group.
Exit codes: 2 malformed selector, unknown group inside, or a loop; 6 the name is taken (--replace), or others name the group (--replace --yes).`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> canary 'I@ring:canary and not G@site:lab'
canary: 12 devices`,
    `$ <%= config.bin %> <%= command.id %> canary 'N@canary-west or N@canary-east' --replace
canary: 14 devices, 12 before`,
  ];
  static override args = {
    name: Args.string({ description: 'letters, digits, _ . and -', required: true }),
    selector: Args.string({ description: 'which devices', required: true }),
  };
  static override flags = {
    replace: Flags.boolean({ description: 'change the group of this name, if there is one' }),
    yes: Flags.boolean({ char: 'y', description: 'change it also when others name it' }),
  };

  protected async execute(): Promise<GroupAdded> {
    const { args, flags } = await this.parse(Add);
    const client = await openClient(flags);
    const { name, selector: expression } = args;
    return client.addGroup({ name, expression, replace: flags.replace, evenIfUsed: flags.yes });
  }

  protected render({ name, matched, matchedBefore }: GroupAdded): void {
    const before = matchedBefore === undefined ? '' : `, ${matchedBefore} before`;
    this.print(`${name}: ${plural(matched, 'device')}${before}`);
  }
}
