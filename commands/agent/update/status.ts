import { BaseCommand } from '../../../src/cli/base-command.ts';
import { doorFlags } from '../../../src/cli/door-flag.ts';
import { parseDuration } from '../../../src/cli/duration.ts';
import { openAgentDoor } from '../../../src/cli/open-door.ts';
import { formatUpdateStatus } from '../../../src/cli/render/agent-update.ts';
import type { UpdateStatus } from '../../../src/door/index.ts';

export default class Status extends BaseCommand<UpdateStatus> {
  static override description = `at the device: show the update that is under way, else the last one, and what it waits for
The same of the last update of the agent itself, if there was one.

Exit code 7 when no agent answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --config agent.yaml
update:   2.1.0 of rollout r-1kf3v2h8
state:    verified since 2026-11-26 08:00:05Z (3m ago), attempt 1
waits:    somebody at the device has to approve it (needs-approval), until 2026-12-03 08:00:05Z
fetched:  8.4 MB of 8.4 MB`,
    '<%= config.bin %> <%= command.id %> --socket /run/flotilla/door.sock --json',
  ];
  static override flags = doorFlags;

  protected async execute(): Promise<UpdateStatus> {
    const { flags } = await this.parse(Status);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    return await client.updateStatus();
  }

  protected render(status: UpdateStatus): void {
    this.print(formatUpdateStatus(status, Date.now()));
  }
}
