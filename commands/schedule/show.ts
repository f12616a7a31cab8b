import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatSchedule } from '../../src/cli/render/schedule.ts';
import type { Schedule } from '../../src/client/contract/index.ts';

export default class Show extends BaseCommand<Schedule> {
  static override description = 'show a schedule and its last firings';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> rotate-logs
schedule:  rotate-logs
state:     active
when:      30 3 * * MON-FRI (Europe/Berlin)
next:      2026-11-27 02:30:00Z (in 5h12m)

2026-11-26 02:30:00Z  job j-5k2f
2026-11-25 02:30:00Z  refused: the selector matches more devices than --max allows (140 devices)`,
    '<%= config.bin %> <%= command.id %> rotate-logs --json',
  ];
  static override args = { name: Args.string({ description: 'of the schedule', required: true }) };

  protected async execute(): Promise<Schedule> {
    const { args, flags } = await this.parse(Show);
    const client = await openClient(flags);
    return client.schedule(args.name);
  }

  protected render(schedule: Schedule): void {
    this.print(formatSchedule(schedule, Date.now()));
  }
}
