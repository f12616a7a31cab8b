import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatJobs } from '../../src/cli/render/job.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Job, JobListQuery } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Job[]> {
  static override description = 'list jobs, the newest first';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
JOB     STATE     DEVICES  RESULT                 SUBMITTED  SELECTOR        COMMAND
j-5k2f  finished        2  1 succeeded, 1 failed  3m20s ago  G@site:harbour  uptime`,
    '<%= config.bin %> <%= command.id %> --state running --since 1d --json',
  ];

  static override flags = {
    state: Flags.string({ description: 'running or finished ones alone', options: ['running', 'finished'] }),
    by: Flags.string({ description: 'submitted by this one, as `job show` names it', helpValue: 'WHO' }),
    schedule: Flags.string({ description: 'started by this schedule', helpValue: 'NAME' }),
    since: Flags.string({ description: 'submitted in this time until now', helpValue: 'DURATION' }),
    limit: Flags.integer({ description: 'at most this many', default: 200, min: 1, max: 10_000 }),
  };

  protected async execute(): Promise<Job[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    const { state, by, schedule, limit } = flags;
    const sinceSeconds = parseDuration(flags.since, '--since');
    return client.jobs({
      limit,
      ...defined({
        state: state as JobListQuery['state'],
        submittedBy: by,
        schedule,
        sinceMs: sinceSeconds === undefined ? undefined : Math.round(Date.now() - sinceSeconds * 1000),
      }),
    });
  }

  protected render(jobs: Job[]): void {
    this.print(formatJobs(jobs, Date.now(), stdoutOption()));
  }
}
