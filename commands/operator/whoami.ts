import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatSelf } from '../../src/cli/render/operator.ts';
import type { Self } from '../../src/client/contract/index.ts';

export default class Whoami extends BaseCommand<Self> {
  static override description = 'say who the coordinator takes you for, and what you may do there';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --context harbour
you:   operator:anna, role operator
from:  192.0.2.7, by certificate 5f1c0a7702b94d0c8e1f22aa90d3b761, ends in 300d
may:   read     see devices, events, jobs, rollouts, certificates, settings
       isolate  shut a device out in a way that can be undone: reject, quarantine
…`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Self> {
    const { flags } = await this.parse(Whoami);
    const client = await openClient(flags);
    return client.self();
  }

  protected render(self: Self): void {
    this.print(formatSelf(self, Date.now()));
  }
}
