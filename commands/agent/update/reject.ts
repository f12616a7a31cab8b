import { Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { doorFlags } from '../../../src/cli/door-flag.ts';
import { parseDuration } from '../../../src/cli/duration.ts';
import { openAgentDoor } from '../../../src/cli/open-door.ts';
import type { DeviceUpdate } from '../../../src/door/index.ts';

export default class Reject extends BaseCommand<DeviceUpdate> {
  static override description = `at the device: refuse the update that is under way
Until it is being installed. It ends as rejected, with the reason, on this device and in the rollout, where a rejection counts as no failure.

Exit codes: 0 rejected, 6 none is under way or it is too late, 7 no agent answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --reason 'a patient is connected for the whole week'
2.1.0 is rejected`,
  ];
  static override flags = {
    ...doorFlags,
    reason: Flags.string({
      description: 'why; the operator of the rollout reads it',
      helpValue: 'TEXT',
      required: true,
    }),
  };

  protected async execute(): Promise<DeviceUpdate> {
    const { flags } = await this.parse(Reject);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    return await client.rejectUpdate(flags.reason);
  }

  protected render({ version, state }: DeviceUpdate): void {
    this.print(`${version} is ${state}`);
  }
}
