import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { defined } from '../../src/cli/defined.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatOperatorRevoked } from '../../src/cli/render/operator.ts';
import type { OperatorRevoked } from '../../src/client/contract/index.ts';

export default class Revoke extends BaseCommand<OperatorRevoked> {
  static override description = `end what an operator may do, or one certificate or token
Refused from this moment on, and what is open with it is cut within a second. There is no way back: \`operator add\` makes another. Asks to type the name, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> anna --reason left --yes
revoked anna: 2 credentials, 1 connection cut`,
    '<%= config.bin %> <%= command.id %> anna --only 5f1c0a7702b94d0c8e1f22aa90d3b761 --reason "laptop lost" --yes',
  ];
  static override args = { name: Args.string({ description: 'of `flotilla operator list`', required: true }) };
  static override flags = {
    reason: Flags.string({ description: 'why, for the audit log', required: true }),
    only: Flags.string({ description: 'the id of one certificate or token; the others stay', helpValue: 'ID' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<OperatorRevoked> {
    const { args, flags } = await this.parse(Revoke);
    const client = await openClient(flags);
    const what = flags.only === undefined ? args.name : `${flags.only} of ${args.name}`;
    await confirmTyped({
      warning: `revoking ${what} can't be undone`,
      answer: args.name,
      yes: flags.yes,
      json: this.json,
    });
    return client.revokeOperator(args.name, { reason: flags.reason, ...defined({ credential: flags.only }) });
  }

  protected render(revoked: OperatorRevoked): void {
    this.print(formatOperatorRevoked(revoked));
  }
}
