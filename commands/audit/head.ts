import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import type { AuditHeadReply } from '../../src/client/contract/index.ts';

export default class Head extends BaseCommand<AuditHeadReply> {
  static override description = `print the end of the audit log, to be kept elsewhere
The one thing that whoever has this machine can't undo is what he doesn't have: keep the line in a ticket, a mail, on paper, on another machine, and give it to audit verify --head later. It proves that no row up to it was changed, and that the log was not set back to before it. The coordinator signs its head at the same time.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
43:9b1d0c6f8f3c5f0be4b7c8a1f7c1a3be9d5f2c43d0a2f0f2f0b1d7d8f1d6c5aa`,
    `<%= config.bin %> <%= command.id %> | ssh archive 'cat >> fleet-heads'`,
  ];

  protected async execute(): Promise<AuditHeadReply> {
    const { flags } = await this.parse(Head);
    const client = await openClient(flags);
    return client.auditHead();
  }

  protected render({ head }: AuditHeadReply): void {
    this.print(head);
  }
}
