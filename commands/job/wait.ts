import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { jobExitCode } from '../../src/cli/job-exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatJobSummary } from '../../src/cli/render/job.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { waitJob } from '../../src/cli/wait-job.ts';
import type { Job } from '../../src/client/contract/index.ts';

export default class Wait extends BaseCommand<Job | undefined> {
  static override streams = true;
  static override description = `follow a job to its end: results so far, then each as it comes
Output and exit codes are those of \`flotilla run\`. Ctrl-C leaves the job running. With --follow the devices that run it are asked to tell what they write, as with \`run --follow\`.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> j-5k2f
gw-002: succeeded (0.2s)
gw-003: timed-out (30s)
job j-5k2f: 2 devices, 1 succeeded, 1 timed-out in 31s`,
    '<%= config.bin %> <%= command.id %> j-5k2f --follow',
    '<%= config.bin %> <%= command.id %> j-5k2f --json',
  ];
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'show what each device writes as it comes, from now on' }),
  };
  static override args = { job: Args.string({ description: 'the id of the job', required: true }) };

  protected async execute(): Promise<Job | undefined> {
    const { args, flags } = await this.parse(Wait);
    const client = await openClient(flags);
    const job = flags.follow ? await client.askOutput(args.job) : await client.job(args.job);
    return waitJob(client, job, {
      json: this.json,
      follow: flags.follow,
      emit: (row) => this.emit(row),
      print: (text) => this.print(text),
    });
  }

  protected render(job: Job | undefined): void {
    if (job !== undefined) this.print(formatJobSummary(job, stdoutOption()));
  }

  protected override exitCode(job: Job | undefined): ExitCode {
    return job === undefined ? ExitCode.interrupted : jobExitCode(job);
  }
}
