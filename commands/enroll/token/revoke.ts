import { Args } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import type { EnrollmentTokenView } from '../../../src/client/contract/index.ts';

export default class Revoke extends BaseCommand<EnrollmentTokenView> {
  static override description = `revoke an enrollment token: it lets nobody in any more
The devices that it has let in stay; shut those out with device reject or cert revoke.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> t-mf3k9x2a81c4f02e
t-mf3k9x2a81c4f02e is revoked; it was used 3 times`,
  ];
  static override args = {
    token: Args.string({ description: 'its id, as `enroll token list` shows it', required: true }),
  };

  protected async execute(): Promise<EnrollmentTokenView> {
    const { args, flags } = await this.parse(Revoke);
    const client = await openClient(flags);
    return client.revokeEnrollmentToken(args.token);
  }

  protected render({ id, uses }: EnrollmentTokenView): void {
    this.print(`${id} is revoked; it was used ${uses === 1 ? 'once' : `${uses} times`}`);
  }
}
