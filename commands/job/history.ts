import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatDeviceJobs } from '../../src/cli/render/job.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { DeviceJob } from '../../src/client/contract/index.ts';

export default class History extends BaseCommand<DeviceJob[]> {
  static override description = 'list the jobs that a device was part of, the newest first';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-003
JOB     RESULT           SUBMITTED  BY             COMMAND
j-5k2f  failed (exit 1)  3m20s ago  operator:anna  uptime`,
    '<%= config.bin %> <%= command.id %> gw-003 --limit 500 --json',
  ];
  static override args = { device: Args.string({ description: 'the id of the device', required: true }) };
  static override flags = {
    limit: Flags.integer({ description: 'at most this many', default: 50, min: 1, max: 10_000 }),
  };

  protected async execute(): Promise<DeviceJob[]> {
    const { args, flags } = await this.parse(History);
    const client = await openClient(flags);
    return client.deviceJobs(args.device, { limit: flags.limit });
  }

  protected render(jobs: DeviceJob[]): void {
    this.print(formatDeviceJobs(jobs, Date.now(), stdoutOption()));
  }
}
