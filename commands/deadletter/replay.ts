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

export default class Replay extends BaseCommand<DeadLetterOutcome> {
  static override strict = false;
  static override description = `send dead letters the way that they did not get through, once what was wrong is mended
An event is read and stored under the number that it came with, once; a handler gets its event again; a device gets its request anew. What fails again stays a dead letter, and this exits 4. One that was replayed or discarded is refused. With --all everything that the filter leaves: asks to type the number, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 12
replayed 1 dead letter: 12`,
    `<%= config.bin %> <%= command.id %> --all --layer handler --consumer billing --yes`,
  ];
  static override args = {
    id: Args.string({ description: 'ids of dead letters; as many as you like' }),
  };
  static override flags = {
    ...deadLetterFilterFlags,
    all: Flags.boolean({ description: 'every undecided one that the filter leaves' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<DeadLetterOutcome> {
    const { argv, flags } = await this.parse(Replay);
    const client = await openClient(flags);
    const ids = await chooseDeadLetters(client, {
      words: argv as string[],
      filter: readDeadLetterFilter(flags, Date.now()),
      all: flags.all,
      yes: flags.yes,
      json: this.json,
      doing: 'replaying',
    });
    return decideInParts(ids, (part) => client.replayDeadLetters(part));
  }

  protected render(outcome: DeadLetterOutcome): void {
    this.print(formatOutcome('replayed', outcome));
  }

  protected override exitCode({ failed }: DeadLetterOutcome): ExitCode {
    return failed.length > 0 ? ExitCode.someFailed : ExitCode.ok;
  }
}
