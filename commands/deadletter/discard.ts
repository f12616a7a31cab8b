import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import {
  chooseDeadLetters,
  deadLetterFilterFlags,
  decideInParts,
  readDeadLetterFilter,
} from '../../src/cli/choose-dead-letters.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatOutcome } from '../../src/cli/render/dead-letter.ts';
import type { DeadLetterOutcome } from '../../src/client/contract/index.ts';

export default class Discard extends BaseCommand<DeadLetterOutcome> {
  static override strict = false;
  static override description = `decide that dead letters are not worth it, with a note for the next reader
They are not offered for a replay again, and are forgotten before the others. With --all everything that the filter leaves: asks to type the number, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 12 --note 'test meter'
discarded 1 dead letter: 12`,
    `<%= config.bin %> <%= command.id %> --all --layer frame --device gw-007 --note 'bad radio' --yes`,
  ];
  static override args = {
    id: Args.string({ description: 'ids of dead letters; as many as you like' }),
  };
  static override flags = {
    ...deadLetterFilterFlags,
    all: Flags.boolean({ description: 'every undecided one that the filter leaves' }),
    note: Flags.string({ description: 'why', required: true }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<DeadLetterOutcome> {
    const { argv, flags } = await this.parse(Discard);
    const client = await openClient(flags);
    const ids = await chooseDeadLetters(client, {
      words: argv as string[],
      filter: readDeadLetterFilter(flags, Date.now()),
      all: flags.all,
      yes: flags.yes,
      json: this.json,
      doing: 'discarding',
    });
    return decideInParts(ids, (part) => client.discardDeadLetters({ ids: part, note: flags.note }));
  }

  protected render(outcome: DeadLetterOutcome): void {
    this.print(formatOutcome('discarded', outcome));
  }

  protected override exitCode({ failed }: DeadLetterOutcome): ExitCode {
    return failed.length > 0 ? ExitCode.someFailed : ExitCode.ok;
  }
}
