import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { changeContexts, findContext } from '../../src/cli/change-context.ts';

interface Removed {
  removed: string;
  /** It was the current one: now none is. */
  wasCurrent: boolean;
}

export default class Remove extends BaseCommand<Removed> {
  static override description = `forget a context
The files that it names stay, and so does what the coordinator knows of you: \`flotilla operator revoke\` ends that.`;
  static override examples = ['<%= config.bin %> <%= command.id %> harbour'];
  static override args = { name: Args.string({ description: 'of `flotilla context list`', required: true }) };

  protected async execute(): Promise<Removed> {
    const { args } = await this.parse(Remove);
    const { current: wasCurrent } = await findContext(args.name);
    await changeContexts(({ current, contexts: { [args.name]: _, ...contexts } }) =>
      wasCurrent || current === undefined ? { contexts } : { current, contexts },
    );
    return { removed: args.name, wasCurrent };
  }

  protected render({ removed, wasCurrent }: Removed): void {
    this.print(`removed ${removed}${wasCurrent ? '; no context is the current one' : ''}`);
  }
}
