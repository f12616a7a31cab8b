import { Args } from '@oclif/core';
import { JobCommand, jobExitCodes, type Ran } from '../../src/cli/job-command.ts';
import { followFlags, jobFlags } from '../../src/cli/job-flag.ts';
import { openClient } from '../../src/cli/open-client.ts';

export default class Restart extends JobCommand {
  static override description = `restart a service on every device that matches
By the device's own init: systemd, OpenRC, procd, or a script in /etc/init.d. The agent does not restart itself.

${jobExitCodes}`;
  static override examples = [`<%= config.bin %> <%= command.id %> 'I@role:gateway' modem --batch 10% --failhard`];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
    service: Args.string({ description: "the service, as the device's init names it", required: true }),
  };
  static override flags = { ...jobFlags, ...followFlags };

  protected async execute(): Promise<Ran> {
    const { args, flags } = await this.parse(Restart);
    const action = { kind: 'restart', service: args.service } as const;
    return this.start(await openClient(flags), flags, { selector: args.selector, action, follow: flags.follow });
  }
}
