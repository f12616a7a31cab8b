import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { readId } from '../../src/cli/choose-dead-letters.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatDeadLetter } from '../../src/cli/render/dead-letter.ts';
import type { DeadLetter } from '../../src/client/contract/index.ts';

export default class Show extends BaseCommand<DeadLetter> {
  static override description = 'show one dead letter: where it comes from, why it was set aside, and what it holds';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 12
id:               12
layer:            handler
state:            new
device:           gw-007
type:             meter.reading
place:            3f0c5d1e9b7a2468, lane 3, seq 9841
offset:           20412
handler:          billing
handler version:  1f3870be274f
reason:           its handler ended 3 times with it: it ended with exit code 1 (crashed)
attempts:         3

payload:
  {
    "litres": -1
  }`,
  ];
  static override args = { id: Args.string({ description: 'the id of the dead letter', required: true }) };

  protected async execute(): Promise<DeadLetter> {
    const { args, flags } = await this.parse(Show);
    const id = readId(args.id);
    const client = await openClient(flags);
    return client.deadLetter(id);
  }

  protected render(letter: DeadLetter): void {
    this.print(formatDeadLetter(letter, Date.now()));
  }
}
