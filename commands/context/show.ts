import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { findContext, type ContextView } from '../../src/cli/change-context.ts';
import { formatContext } from '../../src/cli/render/context.ts';

export default class Show extends BaseCommand<ContextView> {
  static override description = `show a context: where it goes, whom it trusts, who you are there
Nothing is dialed; \`flotilla operator whoami\` asks the coordinator.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> harbour --json',
  ];
  static override args = { name: Args.string({ description: 'the current one when left out' }) };

  protected async execute(): Promise<ContextView> {
    const { args, flags } = await this.parse(Show);
    return findContext(args.name ?? flags.context ?? (process.env['FLOTILLA_CONTEXT'] || undefined));
  }

  protected render(view: ContextView): void {
    this.print(formatContext(view, Date.now()));
  }
}
