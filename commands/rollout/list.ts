import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRollouts } from '../../src/cli/render/rollout.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Rollout } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Rollout[]> {
  static override description = 'list rollouts, the newest first';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
ROLLOUT  RELEASE                       STATE    PHASE  DEVICES  RESULT                     STARTED    SELECTOR
r-81ac   harbour-gateway/2.0.0/stable  running  2/3          8  3 committed, 5 downloading  3m20s ago  G@site:harbour`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Rollout[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.rollouts();
  }

  protected render(rollouts: Rollout[]): void {
    this.print(formatRollouts(rollouts, Date.now(), stdoutOption()));
  }
}
