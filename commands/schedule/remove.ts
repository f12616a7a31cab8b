import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { openClient } from '../../src/cli/open-client.ts';

export default class Remove extends BaseCommand<{ removed: string }> {
  static override description = 'remove a schedule and its history; jobs that it has started go on and stay';
  static override examples = ['<%= config.bin %> <%= command.id %> rotate-logs --yes'];
  static override args = { name: Args.string({ description: 'of the schedule', required: true }) };
  static override flags = {
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<{ removed: string }> {
    const { args, flags } = await this.parse(Remove);
    const client = await openClient(flags);
    await confirmTyped({
      warning: `removing ${args.name} can't be undone: it fires no more, and its history is gone`,
      answer: args.name,
      yes: flags.yes,
      json: this.json,
    });
    return client.removeSchedule(args.name);
  }

  protected render({ removed }: { removed: string }): void {
    this.print(`removed the schedule ${removed}`);
  }
}
