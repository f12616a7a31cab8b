import { Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { doorFlags } from '../../../src/cli/door-flag.ts';
import { parseDuration } from '../../../src/cli/duration.ts';
import { openAgentDoor } from '../../../src/cli/open-door.ts';
import { formatUpdateHistory } from '../../../src/cli/render/agent-update.ts';
import { stdoutOption } from '../../../src/cli/terminal.ts';
import { maxUpdates, type UpdateRecord } from '../../../src/door/index.ts';

export default class History extends BaseCommand<UpdateRecord[]> {
  static override description = `at the device: list its updates, the newest first, with what proves how each one went
Those of the firmware, and those of the agent itself (SOURCE \`agent\`). The device keeps the last ${maxUpdates} of each. With --json each has its evidence: what ran before and after, the checks, the hooks, times and bytes.

Exit code 7 when no agent answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --config agent.yaml
ENDED                 VERSION  SOURCE   STATE        PROOF
2026-11-26 09:12:30Z  0.2.0    agent    committed    agent 0.1.0 → 0.2.0, health 3/3
2026-11-26 08:02:11Z  2.1.0    rollout  committed    slot a → b, boot 7c1f09aa, bytes equal, health 2/2
2026-11-20 03:10:40Z  2.0.0    rollout  rolled-back  health-check: health check failed: meter (exit 1)`,
    '<%= config.bin %> <%= command.id %> --limit 1 --json',
  ];
  static override flags = {
    ...doorFlags,
    limit: Flags.integer({
      description: 'how many, the newest first',
      helpValue: 'N',
      default: 20,
      min: 1,
      max: maxUpdates,
    }),
  };

  protected async execute(): Promise<UpdateRecord[]> {
    const { flags } = await this.parse(History);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    return await client.updateHistory({ limit: flags.limit });
  }

  protected render(updates: UpdateRecord[]): void {
    this.print(formatUpdateHistory(updates, stdoutOption()));
  }
}
