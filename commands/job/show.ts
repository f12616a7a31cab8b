import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatJob } from '../../src/cli/render/job.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Job } from '../../src/client/contract/index.ts';

export default class Show extends BaseCommand<Job> {
  static override description = 'show a job as it is now, with the result of each device';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> j-5k2f
job:           j-5k2f
state:         finished
selector:      G@site:harbour
command:       uptime
devices:       2: 1 succeeded, 1 failed

gw-002: succeeded (0.2s)
   21:30:05 up 12 days
gw-003: failed (exit 1, 0.1s)`,
    '<%= config.bin %> <%= command.id %> j-5k2f --no-output --json',
  ];
  static override flags = {
    output: Flags.boolean({ description: 'what the command wrote, too', default: true, allowNo: true }),
  };
  static override args = { job: Args.string({ description: 'the id of the job', required: true }) };

  protected async execute(): Promise<Job> {
    const { args, flags } = await this.parse(Show);
    const client = await openClient(flags);
    const job = await client.job(args.job);
    if (flags.output) return job;
    const results = (job.results ?? []).map(({ stdout: _out, stderr: _err, ...result }) => result);
    return { ...job, results };
  }

  protected render(job: Job): void {
    this.print(formatJob(job, Date.now(), stdoutOption()));
  }
}
