import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatJobSummary } from '../../src/cli/render/job.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Job } from '../../src/client/contract/index.ts';

export default class Cancel extends BaseCommand<Job> {
  static override description = `cancel a job
Devices that have not started never will; a command that runs is ended. Devices that are done keep their result.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> j-5k2f
job j-5k2f: 12 devices, 3 succeeded, 9 cancelled in 12s`,
  ];
  static override args = { job: Args.string({ description: 'the id of the job', required: true }) };

  protected async execute(): Promise<Job> {
    const { args, flags } = await this.parse(Cancel);
    const client = await openClient(flags);
    return client.cancelJob(args.job);
  }

  protected render(job: Job): void {
    this.print(formatJobSummary(job, stdoutOption()));
  }
}
