import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { changeContexts, findContext, type ContextView } from '../../src/cli/change-context.ts';
import { formatContext } from '../../src/cli/render/context.ts';

export default class Use extends BaseCommand<ContextView> {
  static override description = `make a context the current one
Commands go there when no flag, no variable and no fleet in this folder says otherwise.`;
  static override examples = ['<%= config.bin %> <%= command.id %> harbour'];
  static override args = { name: Args.string({ description: 'of `flotilla context list`', required: true }) };

  protected async execute(): Promise<ContextView> {
    const { args } = await this.parse(Use);
    await findContext(args.name);
    await changeContexts(({ contexts }) => ({ current: args.name, contexts }));
    return findContext(args.name);
  }

  protected render(view: ContextView): void {
    this.print(formatContext(view, Date.now()));
  }
}
