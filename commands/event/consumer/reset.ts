import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { confirmTyped } from '../../../src/cli/confirm.ts';
import { firstOffsetSince } from '../../../src/cli/first-offset.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { parseTime } from '../../../src/cli/time.ts';
import type { Consumer } from '../../../src/client/contract/index.ts';
import { FlotillaError } from '../../../src/error.ts';

export default class Reset extends BaseCommand<Consumer> {
  static override description = `set the cursor of a consumer, back or forward; its stream ends
What lies between is given again, or never. What its handler has not managed is forgotten; dead letters stay. Asks to type the name, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> billing --from 9000 --yes
billing goes on at offset 9000`,
    '<%= config.bin %> <%= command.id %> billing --since 2h --yes',
    '<%= config.bin %> <%= command.id %> billing --end --yes',
  ];
  static override args = { name: Args.string({ description: 'the consumer', required: true }) };
  static override flags = {
    from: Flags.integer({ description: 'the next offset that it gets', min: 1, exclusive: ['since', 'end'] }),
    since: Flags.string({
      description: 'the first event since this time: ISO, or how long ago (2h)',
      helpValue: 'TIME',
      exclusive: ['end'],
    }),
    end: Flags.boolean({ description: 'only what comes from now on' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<Consumer> {
    const { args, flags } = await this.parse(Reset);
    const { from, since, end } = flags;
    if (from === undefined && since === undefined && !end) {
      throw new FlotillaError('usage', 'reset-where', 'say where it goes on: --from, --since or --end');
    }
    const sinceMs = parseTime(since, '--since', Date.now());
    const client = await openClient(flags);
    const next = from ?? (await firstOffsetSince(client, sinceMs));
    await confirmTyped({
      warning: `${args.name} goes on at offset ${next}, whatever it has seen`,
      answer: args.name,
      yes: flags.yes,
      json: this.json,
    });
    return client.resetConsumer(args.name, next - 1);
  }

  protected render({ name, offset }: Consumer): void {
    this.print(`${name} goes on at offset ${offset + 1}`);
  }
}
