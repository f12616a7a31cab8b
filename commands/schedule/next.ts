import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatTimes } from '../../src/cli/render/schedule.ts';
import type { ScheduleTimes } from '../../src/client/contract/index.ts';

export default class Next extends BaseCommand<ScheduleTimes> {
  static override description = 'say when a schedule is due, in UTC and in its own zone';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> rotate-logs --count 2
2026-11-27 02:30:00Z  2026-11-27 03:30 GMT+1  in 5h12m
2026-11-30 02:30:00Z  2026-11-30 03:30 GMT+1  in 3d5h`,
  ];
  static override args = { name: Args.string({ description: 'of the schedule', required: true }) };
  static override flags = {
    count: Flags.integer({ description: 'how many times', default: 5, min: 1, max: 1_000 }),
  };

  protected async execute(): Promise<ScheduleTimes> {
    const { args, flags } = await this.parse(Next);
    const client = await openClient(flags);
    return client.scheduleTimes(args.name, { count: flags.count });
  }

  protected render(times: ScheduleTimes): void {
    this.print(formatTimes(times, Date.now()));
  }
}
