import { Args } from '@oclif/core';
import { JobCommand, jobExitCodes, type Ran } from '../../../src/cli/job-command.ts';
import { jobFlags } from '../../../src/cli/job-flag.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { readSettings } from '../../../src/cli/read-settings.ts';

const { ramp: _ramp, ...flags } = jobFlags;

export default class Push extends JobCommand {
  static override description = `bring a document of settings to every device that matches, as a job
What \`device config set\` sets and leaves, this stays for: a device has succeeded when its product has taken the document up, and rejected it when the product would not, with its reason. Changes of both sides in the same place are a failure, and nothing is sent (\`device config diff\`). A product that does not decide within --timeout has timed out; the document stays set. A device that is away gets it when it comes, until --expires; one that never came, or was cancelled before its turn, was not set.

With --batch and --failhard settings go out step by step, and stop where they go wrong.

${jobExitCodes}`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour' limits limits.yaml --batch 10% --failhard
gw-001: succeeded (0.4s)
gw-002: rejected (max is above what the valve bears)
job j-5k2f: 12 devices, 1 succeeded, 1 rejected, 10 cancelled in 0.9s`,
  ];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
    name: Args.string({ description: 'the name of the document', required: true }),
    file: Args.string({ description: 'a YAML or JSON file; - is stdin', required: true }),
  };
  static override flags = flags;

  protected async execute(): Promise<Ran> {
    const { args, flags: given } = await this.parse(Push);
    const { selector, name } = args;
    const document = await readSettings(args.file);
    return this.start(await openClient(given), given, { selector, action: { kind: 'config', name, document } });
  }
}
