import { Args } from '@oclif/core';
import { JobCommand, jobExitCodes, type Ran } from '../../src/cli/job-command.ts';
import { jobFlags } from '../../src/cli/job-flag.ts';
import { openClient } from '../../src/cli/open-client.ts';

export default class Refresh extends JobCommand {
  static override description = `have every device that matches collect its grains again
They are reported whether they have changed or not.

${jobExitCodes}`;
  static override examples = [`<%= config.bin %> <%= command.id %> 'G@site:harbour'`];
  static override args = { selector: Args.string({ description: 'which devices', required: true }) };
  static override flags = { ...jobFlags };

  protected async execute(): Promise<Ran> {
    const { args, flags } = await this.parse(Refresh);
    return this.start(await openClient(flags), flags, { selector: args.selector, action: { kind: 'refresh' } });
  }
}
