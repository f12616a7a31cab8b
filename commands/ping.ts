import { Args } from '@oclif/core';
import { JobCommand, jobExitCodes, type Ran } from '../src/cli/job-command.ts';
import { jobFlags } from '../src/cli/job-flag.ts';
import { openClient } from '../src/cli/open-client.ts';

export default class Ping extends JobCommand {
  static override description = `ask the agent of every device that matches whether it is well
Answered by the agent itself, without a process on the device: it shows that the link, the agent and its disk work. No policy of a device refuses it.

${jobExitCodes}`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour' --expires 10s
gw-002: succeeded (0s)
gw-003: expired (the device did not connect before the job expired)
job j-5k2f: 2 devices, 1 succeeded, 1 expired in 11s`,
  ];
  static override args = { selector: Args.string({ description: 'which devices', required: true }) };
  static override flags = { ...jobFlags };

  protected async execute(): Promise<Ran> {
    const { args, flags } = await this.parse(Ping);
    return this.start(await openClient(flags), flags, { selector: args.selector, action: { kind: 'ping' } });
  }
}
