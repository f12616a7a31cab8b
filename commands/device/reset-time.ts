import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readInput } from '../../src/cli/read-input.ts';
import type { TimeResetSent } from '../../src/client/contract/index.ts';
import { maxResetBytes, parseTimeResets } from '../../src/pki/time-reset.ts';

export default class ResetTime extends BaseCommand<TimeResetSent[]> {
  static override description = `deliver what \`ca sign-time-reset\` has signed: devices forget a time that they were wrongly given
First mend the coordinator's own clock, or they are told the wrong time again. Each device takes an order once; \`device show\` tells what its clock says then.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001.reset
gw-001: sent`,
    '<%= config.bin %> <%= command.id %> all.reset --json',
  ];
  static override args = {
    file: Args.file({ description: 'the file of `ca sign-time-reset`', required: true }),
  };

  protected async execute(): Promise<TimeResetSent[]> {
    const { args, flags } = await this.parse(ResetTime);
    const resets = parseTimeResets(
      (await readInput(args.file, 'time resets', maxResetBytes)).toString('utf8'),
      args.file,
    );
    const client = await openClient(flags);
    return client.resetTime({ resets });
  }

  protected render(sent: TimeResetSent[]): void {
    for (const { deviceId, state } of sent) this.print(`${deviceId}: ${stateTexts[state]}`);
  }
}

const stateTexts = {
  sent: 'sent',
  waiting: 'waits until the device comes',
  held: 'waits for an agent that takes it',
} as const;
