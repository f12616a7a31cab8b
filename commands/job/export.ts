import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { exportFormats, exportResults, type ExportFormat } from '../../src/cli/export-results.ts';
import { plural } from '../../src/cli/human.ts';
import { openClient } from '../../src/cli/open-client.ts';

interface Exported {
  results: number;
  out?: string;
}

export default class Export extends BaseCommand<Exported> {
  static override streams = true;
  static override description = `write the result of each device: JSON lines, or CSV for a spreadsheet
As they are stored now, also while the job runs, one after the other and never all in memory. With --out the file is there only when it is whole.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> j-5k2f --format csv --out results.csv
2 results`,
    '<%= config.bin %> <%= command.id %> j-5k2f | jq -r .stdout',
  ];
  static override args = { job: Args.string({ description: 'the id of the job', required: true }) };
  static override flags = {
    format: Flags.string({ description: 'of the output', options: [...exportFormats], default: 'ndjson' }),
    out: Flags.string({ description: 'write into this file, which is replaced when all is there', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<Exported> {
    const { args, flags } = await this.parse(Export);
    const client = await openClient(flags);
    const format = flags.format as ExportFormat;
    const results = await exportResults(client, { job: args.job, format, out: flags.out });
    const exported = { results, ...defined({ out: flags.out }) };
    process.stderr.write(`${this.json ? JSON.stringify(exported) : plural(results, 'result')}\n`);
    return exported;
  }

  protected render(): void {}
}
