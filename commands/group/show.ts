import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatGroup } from '../../src/cli/render/group.ts';
import type { Group } from '../../src/client/contract/index.ts';

export default class Show extends BaseCommand<Group> {
  static override description = `show what a named selector stands for, and what names it
flotilla select explain N@NAME shows it down to its terms.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> canary
name:        canary
selector:    I@ring:canary and not G@site:lab
devices:     12
used by:     group early
changed by:  operator:anna
changed:     2026-11-25 21:30:05Z`,
  ];
  static override args = { name: Args.string({ description: 'the group', required: true }) };

  protected async execute(): Promise<Group> {
    const { args, flags } = await this.parse(Show);
    const client = await openClient(flags);
    return client.group(args.name);
  }

  protected render(group: Group): void {
    this.print(formatGroup(group));
  }
}
