import { Args } from '@oclif/core';
import { JobCommand, jobExitCodes, type Ran } from '../src/cli/job-command.ts';
import { jobFlags } from '../src/cli/job-flag.ts';
import { openClient } from '../src/cli/open-client.ts';

export default class Reboot extends JobCommand {
  static override description = `restart every device that matches
A device has succeeded when it has come back with another boot id, and not before. A program of the product can hold the restart at the agent's door, with a reason (docs/guide/door.md): then the device has rejected it. One that only defers it is waited for within --timeout. For more than one device their number is asked for; a script says it with --expect.

${jobExitCodes}`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'gw-00*' --timeout 5m
gw-003: rejected (the product holds the reboot: pump 2 is running)
gw-002: succeeded (48.1s)
job j-5k2f: 2 devices, 1 succeeded, 1 rejected in 48.3s`,
    `<%= config.bin %> <%= command.id %> 'G@site:harbour' --batch 1 --failhard --expect 12`,
  ];
  static override args = { selector: Args.string({ description: 'which devices', required: true }) };
  static override flags = { ...jobFlags };

  protected async execute(): Promise<Ran> {
    const { args, flags } = await this.parse(Reboot);
    return this.start(await openClient(flags), flags, { selector: args.selector, action: { kind: 'reboot' } });
  }
}
