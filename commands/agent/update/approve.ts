import { BaseCommand } from '../../../src/cli/base-command.ts';
import { doorFlags } from '../../../src/cli/door-flag.ts';
import { parseDuration } from '../../../src/cli/duration.ts';
import { openAgentDoor } from '../../../src/cli/open-door.ts';
import type { DeviceUpdate } from '../../../src/door/index.ts';

export default class Approve extends BaseCommand<DeviceUpdate> {
  static override description = `at the device: let the update be installed that waits for it
With \`update.approval: required\` in agent.yaml, or when the rollout asks for it, a bundle is fetched and verified and then waits for this. It may be approved before it is there. Windows and deferrals hold all the same. To say no: agent update reject.

Exit codes: 0 approved (now or before), 6 no update needs it, 7 no agent answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --config agent.yaml
2.1.0 is approved (verified)`,
    '<%= config.bin %> <%= command.id %> --json',
  ];
  static override flags = doorFlags;

  protected async execute(): Promise<DeviceUpdate> {
    const { flags } = await this.parse(Approve);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    return await client.approveUpdate();
  }

  protected render({ version, state }: DeviceUpdate): void {
    this.print(`${version} is approved (${state})`);
  }
}
