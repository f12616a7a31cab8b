import { Args, Flags } from '@oclif/core';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { followFlags } from '../../src/cli/job-flag.ts';
import { JobCommand, type Ran } from '../../src/cli/job-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import type { JobRetryRequest } from '../../src/client/contract/index.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Retry extends JobCommand {
  static override description = `run a job again on those of its devices where it went wrong
Makes a new job with the same action, linked to the old one, on the devices that ended in the states you name. Nothing is ever run again without this: a device whose state is unknown may have run the command, so it is taken only with --unknown.

Output and exit codes are those of \`flotilla run\`.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> j-5k2f --failed --timed-out
gw-003: succeeded (0.2s)
job j-7mx1: 1 device, 1 succeeded in 0.3s`,
    '<%= config.bin %> <%= command.id %> j-5k2f --failed --unknown --dry-run',
  ];
  static override args = { job: Args.string({ description: 'the id of the job', required: true }) };
  static override flags = {
    failed: Flags.boolean({ description: 'devices where the command failed' }),
    'timed-out': Flags.boolean({ description: 'devices where its time ran out: it may have done a part' }),
    expired: Flags.boolean({ description: 'devices that never had it' }),
    unknown: Flags.boolean({ description: 'devices where it may have run to its end, unseen' }),
    rejected: Flags.boolean({ description: 'devices whose own policy refused it' }),
    cancelled: Flags.boolean({ description: 'devices where it was cancelled' }),
    batch: Flags.string({ description: 'at most this many devices at once: 50, or 10%', helpValue: 'N|N%' }),
    failhard: Flags.boolean({ description: 'start no more devices after the first failure' }),
    timeout: Flags.string({ description: 'another time limit on the device', helpValue: 'DURATION' }),
    expires: Flags.string({ description: 'how long an offline device may take to come back', helpValue: 'DURATION' }),
    max: Flags.integer({ description: 'refuse when there are more devices', min: 1 }),
    expect: Flags.integer({ description: 'refuse unless there are exactly this many devices', min: 0 }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask; only together with --expect' }),
    'dry-run': Flags.boolean({ description: 'say which devices, start nothing', exclusive: ['detach'] }),
    detach: Flags.boolean({ description: 'start the job and leave; `job wait` shows the results' }),
    ...followFlags,
  };

  protected async execute(): Promise<Ran> {
    const { args, flags } = await this.parse(Retry);
    const names = ['failed', 'timed-out', 'expired', 'unknown', 'rejected', 'cancelled'] as const;
    const outcomes = names.filter((name) => flags[name]);
    if (outcomes.length === 0) {
      throw new FlotillaError('usage', 'retry-which', 'say which devices are to run it again', {
        expected: names.map((name) => `--${name}`).join(', '),
        suggestion: `flotilla job retry ${args.job} --failed`,
      });
    }
    const request: JobRetryRequest = {
      outcomes,
      ...defined({
        batch: flags.batch,
        maxFailures: flags.failhard ? 1 : undefined,
        timeoutSeconds: parseDuration(flags.timeout, '--timeout'),
        expiresSeconds: parseDuration(flags.expires, '--expires'),
        max: flags.max,
        follow: flags.follow || undefined,
        dryRun: flags['dry-run'] || undefined,
      }),
    };
    const client = await openClient(flags);
    return this.stay(client, flags, (expect) => client.retryJob(args.job, { ...request, ...defined({ expect }) }));
  }
}
