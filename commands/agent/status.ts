import { BaseCommand } from '../../src/cli/base-command.ts';
import { doorFlags } from '../../src/cli/door-flag.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { openAgentDoor } from '../../src/cli/open-door.ts';
import { formatAgentStatus } from '../../src/cli/render/agent.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { loadAgentConfig } from '../../src/config/load-agent-config.ts';
import {
  readIdentityStatus,
  readServiceStatus,
  type IdentityStatus,
  type ServiceStatus,
} from '../../src/device/index.ts';
import type { DoorStatus } from '../../src/door/index.ts';

/** What the agent says of itself, and, where its configuration is known, what the machine says of it. */
type AgentStatus = DoorStatus & { identity?: IdentityStatus; service?: ServiceStatus };

export default class Status extends BaseCommand<AgentStatus> {
  static override description = `show the agent of this device: its link, what waits in its log, its schemas, its update; who it is, and its service
Exit code 7 when no agent answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --config agent.yaml
agent:     0.1.0
link:      live since 2026-11-22 21:30:05Z (3m20s ago)
device:    meter-1 of harbour-k3f9x2, certificate until 2027-11-22 21:30:05Z
service:   running, by systemd
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

  protected async execute(): Promise<AgentStatus> {
    const { flags } = await this.parse(Status);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    const status = await client.status();
    if (flags.socket !== undefined || (flags.config === undefined && process.env['FLOTILLA_DOOR'])) return status;
    const config = await loadAgentConfig(flags.config ?? 'agent.yaml');
    return { ...status, identity: await readIdentityStatus(config), service: await readServiceStatus() };
  }

  protected render(status: AgentStatus): void {
    this.print(formatAgentStatus(status, Date.now(), stdoutOption()));
  }
}
