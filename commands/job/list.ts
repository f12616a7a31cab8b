import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatJobs } from '../../src/cli/render/job.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Job } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Job[]> {
  static override description = 'list jobs, the newest first';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
JOB     STATE     DEVICES  RESULT                 SUBMITTED  SELECTOR        COMMAND
j-5k2f  finished        2  1 succeeded, 1 failed  3m20s ago  G@site:harbour  uptime`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Job[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.jobs();
  }

  protected render(jobs: Job[]): void {
    this.print(formatJobs(jobs, Date.now(), stdoutOption()));
  }
}
