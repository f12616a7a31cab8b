import { Args, Flags } from '@oclif/core';
import { defined } from '../../src/cli/defined.ts';
import { JobCommand, jobExitCodes, type Ran } from '../../src/cli/job-command.ts';
import { jobFlags } from '../../src/cli/job-flag.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { describeContent, uploadContent } from '../../src/cli/upload-content.ts';

export default class Put extends JobCommand {
  static override description = `put a file on every device that matches
The file is written beside its place, proved by its SHA-256, synced, and takes the place of what was there in one step. Mode and owner stay as they were unless they are given; a new file has 644. The place may hold {{id}}, {{tag:NAME}} and {{GRAIN}}, each within one part of the path.

${jobExitCodes}`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour' ./ntp.conf /etc/ntp.conf --mode 644 --owner root:root
gw-002: succeeded (0.3s)
job j-5k2f: 1 device, 1 succeeded in 0.6s`,
  ];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
    local: Args.string({ description: 'the file here', required: true }),
    remote: Args.string({ description: 'where it goes, an absolute path with its name', required: true }),
  };
  static override flags = {
    ...jobFlags,
    mode: Flags.string({ description: 'octal, such as 640', helpValue: 'MODE' }),
    owner: Flags.string({ description: 'user or user:group, as the device knows them', helpValue: 'OWNER' }),
  };

  protected async execute(): Promise<Ran> {
    const { args, flags } = await this.parse(Put);
    const { mode, owner } = flags;
    const client = await openClient(flags);
    const content = flags['dry-run'] ? await describeContent(args.local) : await uploadContent(client, args.local);
    const action = { kind: 'put', path: args.remote, content, ...defined({ mode, owner }) } as const;
    return this.start(client, flags, { selector: args.selector, action });
  }
}
