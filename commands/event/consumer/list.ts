import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { formatConsumers } from '../../../src/cli/render/consumer.ts';
import { stdoutOption } from '../../../src/cli/terminal.ts';
import type { Consumer } from '../../../src/client/contract/index.ts';

export default class List extends BaseCommand<Consumer[]> {
  static override description =
    'list consumers of the event log: their cursors, how far behind they are, what they retry';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
CONSUMER  OFFSET  LAG  STREAM  OPEN  RETRIES  EVENTS
billing   9841    12   open    3     -        type=meter.*`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Consumer[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.consumers();
  }

  protected render(consumers: Consumer[]): void {
    this.print(formatConsumers(consumers, stdoutOption()));
  }
}
