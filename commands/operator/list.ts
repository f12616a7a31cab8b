import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatOperators } from '../../src/cli/render/operator.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Operator } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Operator[]> {
  static override description = 'list who may use this fleet from elsewhere, with every certificate and token';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
NAME   ROLE      KIND         ID                                STATE    ISSUED   BY       ENDS     OPEN
admin  admin     certificate  0c63e2a9c0b14f2cb5e1a4f2c3d4e5f6  valid    2d ago   init     in 363d  0
anna   operator  certificate  5f1c0a7702b94d0c8e1f22aa90d3b761  valid    2d ago   local:0  in 363d  1
ci     release   token        77ab31c09f4e4bd2                  expired  3h ago   local:0  2h ago   0`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Operator[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.operators();
  }

  protected render(operators: Operator[]): void {
    this.print(formatOperators(operators, Date.now(), stdoutOption()));
  }
}
