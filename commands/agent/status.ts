import { BaseCommand } from '../../src/cli/base-command.ts';
import { doorFlags } from '../../src/cli/door-flag.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { openAgentDoor } from '../../src/cli/open-door.ts';
import { formatAgentStatus } from '../../src/cli/render/agent.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { DoorStatus } from '../../src/door/index.ts';

export default class Status extends BaseCommand<DoorStatus> {
  static override description = `show the agent of this device: its link, what waits in its log, its schemas
Exit code 7 when no agent answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --config agent.yaml
agent:     0.1.0
link:      live since 2026-11-22 21:30:05Z (3m20s ago)
pressure:  none

LANE     NEXT  ACKED  WAITING  BYTES
control    12     11        0    0 B
alarm       1      0        0    0 B
state       3      2        0    0 B
bulk     1043   1040        2  118 B

meter.Reading  7275d51a3f395c8f`,
    '<%= config.bin %> <%= command.id %> --socket /run/flotilla/door.sock --json',
  ];
  static override flags = doorFlags;

  protected async execute(): Promise<DoorStatus> {
    const { flags } = await this.parse(Status);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    return await client.status();
  }

  protected render(status: DoorStatus): void {
    this.print(formatAgentStatus(status, Date.now(), stdoutOption()));
  }
}
