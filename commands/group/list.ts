import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatGroups } from '../../src/cli/render/group.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Group } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Group[]> {
  static override description = 'list the named selectors, with the devices that they match now';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
GROUP   DEVICES  SELECTOR                            CHANGED BY
canary       12  I@ring:canary and not G@site:lab    operator:anna`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Group[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.groups();
  }

  protected render(groups: Group[]): void {
    this.print(formatGroups(groups, stdoutOption()));
  }
}
