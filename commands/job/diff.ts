import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ResultComparer, type ResultComparison } from '../../src/cli/compare-results.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatComparison } from '../../src/cli/render/comparison.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';

export default class Diff extends BaseCommand<ResultComparison> {
  static override description = `show who said something else than the others
Devices are sorted by how the command ended and by what it wrote. The largest group is shown whole, each other one as a unified diff against it.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> j-5k2f
9998 devices: succeeded: gw-00001, gw-00002, …
  PermitRootLogin no

2 devices: succeeded: gw-04711, gw-08150
  @@ -1 +1 @@
  -PermitRootLogin no
  +PermitRootLogin yes`,
    '<%= config.bin %> <%= command.id %> j-5k2f --groups 100 --json',
  ];
  static override args = { job: Args.string({ description: 'the id of the job', required: true }) };
  static override flags = {
    groups: Flags.integer({ description: 'show at most this many groups', default: 10, min: 1, max: 1000 }),
  };

  protected async execute(): Promise<ResultComparison> {
    const { args, flags } = await this.parse(Diff);
    const client = await openClient(flags);
    const comparer = new ResultComparer();
    for await (const result of client.jobResults(args.job)) comparer.add(result);
    return comparer.compare(args.job, flags.groups);
  }

  protected render(comparison: ResultComparison): void {
    this.print(formatComparison(comparison, stdoutOption()));
  }
}
