import { Args, Flags } from '@oclif/core';
import { JobCommand, jobExitCodes, type Ran } from '../../src/cli/job-command.ts';
import { jobFlags } from '../../src/cli/job-flag.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { saveJobFiles } from '../../src/cli/save-job-files.ts';

export default class Get extends JobCommand {
  static override description = `get a file from every device that matches
Each comes to OUTPUT/DEVICE/NAME, proved by the SHA-256 that the device told. A link at the place itself is not followed.

${jobExitCodes}`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'gw-00*' /var/log/modem.log --output logs
gw-002: succeeded (0.1s)
gw-003: failed (/var/log/modem.log has 4194304 bytes, more than the 1048576 bytes asked for)
job j-5k2f: 2 devices, 1 succeeded, 1 failed in 0.4s
logs/gw-002/modem.log`,
  ];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
    remote: Args.string({ description: 'the file there, an absolute path', required: true }),
  };
  static override flags = {
    ...jobFlags,
    output: Flags.string({ description: 'the folder that they come to', required: true, helpValue: 'FOLDER' }),
    'max-size': Flags.integer({
      description: 'refuse a larger file, in bytes',
      default: 1_048_576,
      min: 0,
      max: 16_777_216,
    }),
  };

  #saved: string[] = [];

  protected async execute(): Promise<Ran> {
    const { args, flags } = await this.parse(Get);
    const client = await openClient(flags);
    const action = { kind: 'get', path: args.remote, maxBytes: flags['max-size'] } as const;
    const ran = await this.start(client, flags, { selector: args.selector, action });
    if (ran.kind === 'finished' && ran.job !== undefined) {
      this.#saved = await saveJobFiles(client, ran.job.id, { path: args.remote, directory: flags.output });
      if (this.json) for (const path of this.#saved) this.emit({ kind: 'file', path });
    }
    return ran;
  }

  protected override render(ran: Ran): void {
    super.render(ran);
    for (const path of this.#saved) this.print(path);
  }
}
