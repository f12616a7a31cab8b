import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { deadLetterFilterFlags, deadLetterStateFlag, readDeadLetterFilter } from '../../src/cli/choose-dead-letters.ts';
import { defined } from '../../src/cli/defined.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatDeadLetters } from '../../src/cli/render/dead-letter.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { DeadLetter } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<DeadLetter[]> {
  static override description = `list what could not be taken and was set aside, while its lane went on
Layers: frame (bytes that are no message), decode (an event that is not what its type says), handler (an event that a handler could not manage), device (a request that a device gave up).`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --state new
ID  LAYER            STATE  DEVICE  TYPE           TRIES  LAST      REASON
12  handler billing  new    gw-007  meter.reading      3  2h5m ago  its handler ended 3 times with it
1 dead letter, 1 to be decided on`,
    `<%= config.bin %> <%= command.id %> --layer decode --device 'G@site:harbour' --since 7d --json`,
  ];
  static override flags = {
    ...deadLetterFilterFlags,
    ...deadLetterStateFlag,
    limit: Flags.integer({ description: 'the newest so many; left out: 1000', min: 1, max: 100_000 }),
  };

  protected async execute(): Promise<DeadLetter[]> {
    const { flags } = await this.parse(List);
    const filter = readDeadLetterFilter(flags, Date.now());
    const client = await openClient(flags);
    return client.deadLetters({ ...filter, ...defined({ limit: flags.limit }) });
  }

  protected render(letters: DeadLetter[]): void {
    this.print(formatDeadLetters(letters, Date.now(), stdoutOption()));
  }
}
