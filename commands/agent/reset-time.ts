import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { doorFlags } from '../../src/cli/door-flag.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { formatTime } from '../../src/cli/human.ts';
import { openAgentDoor } from '../../src/cli/open-door.ts';
import { readInput } from '../../src/cli/read-input.ts';
import { FlotillaError } from '../../src/error.ts';
import { maxResetBytes, parseTimeResets, type TimeReset } from '../../src/pki/time-reset.ts';

export default class ResetTime extends BaseCommand<TimeReset> {
  static override description = `at the device: take an order of the fleet's root to forget a wrong time
For a device that the coordinator can't reach. The file comes from \`ca sign-time-reset\`; of several orders, this device's own is taken.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001.reset
gw-001 went back to 2026-11-26 08:00:00Z`,
    '<%= config.bin %> <%= command.id %> gw-001.reset --config /etc/flotilla/agent.yaml --json',
  ];
  static override args = {
    file: Args.file({ description: 'the file of `ca sign-time-reset`', required: true }),
  };
  static override flags = { ...doorFlags };

  protected async execute(): Promise<TimeReset> {
    const { args, flags } = await this.parse(ResetTime);
    const resets = parseTimeResets(
      (await readInput(args.file, 'time resets', maxResetBytes)).toString('utf8'),
      args.file,
    );
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    const { deviceId } = await client.status();
    const reset = resets.find((each) => each.deviceId === deviceId);
    if (reset === undefined) {
      throw new FlotillaError('usage', 'time-reset-other', `${args.file} holds no order for this device`, {
        seen: resets
          .map((each) => each.deviceId)
          .join(', ')
          .slice(0, 200),
        expected: deviceId ?? 'the id of this device',
      });
    }
    await client.resetTime(reset);
    return reset;
  }

  protected render({ deviceId, timeMs }: TimeReset): void {
    this.print(`${deviceId} went back to ${formatTime(timeMs)}`);
  }
}
