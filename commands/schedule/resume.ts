import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatSchedule } from '../../src/cli/render/schedule.ts';
import type { Schedule } from '../../src/client/contract/index.ts';

export default class Resume extends BaseCommand<Schedule> {
  static override description = 'let a paused schedule go on, from the next time to come';
  static override examples = ['<%= config.bin %> <%= command.id %> rotate-logs'];
  static override args = { name: Args.string({ description: 'of the schedule', required: true }) };

  protected async execute(): Promise<Schedule> {
    const { args, flags } = await this.parse(Resume);
    const client = await openClient(flags);
    return client.changeSchedule(args.name, 'resume');
  }

  protected render(schedule: Schedule): void {
    this.print(formatSchedule(schedule, Date.now()));
  }
}
