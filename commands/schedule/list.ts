import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatSchedules } from '../../src/cli/render/schedule.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Schedule } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Schedule[]> {
  static override description = 'list schedules, and when each is due';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
NAME         STATE   WHEN                              NEXT      LAST     SELECTOR        COMMAND
rotate-logs  active  30 3 * * MON-FRI (Europe/Berlin)  in 5h12m  started  G@site:harbour  logrotate /etc/logrotate.conf`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Schedule[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.schedules();
  }

  protected render(schedules: Schedule[]): void {
    this.print(formatSchedules(schedules, Date.now(), stdoutOption()));
  }
}
