import { BaseCommand } from '../../src/cli/base-command.ts';
import { viewContexts, type ContextView } from '../../src/cli/change-context.ts';
import { formatContexts } from '../../src/cli/render/context.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';

export default class List extends BaseCommand<ContextView[]> {
  static override description = 'list the coordinators that you know, and who you are there';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
   NAME     COORDINATOR             FLEET           AS               ENDS
*  harbour  fleet.example.org:7444  harbour-k3f9x2  anna (operator)  in 300d
   ci       fleet.example.org:7445  harbour-k3f9x2  a token          -`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<ContextView[]> {
    await this.parse(List);
    return viewContexts();
  }

  protected render(views: ContextView[]): void {
    this.print(formatContexts(views, Date.now(), stdoutOption()));
  }
}
