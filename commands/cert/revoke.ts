import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRevoked } from '../../src/cli/render/certificate.ts';
import type { Revoked } from '../../src/client/contract/index.ts';

export default class Revoke extends BaseCommand<Revoked> {
  static override description = `revoke one certificate, or all of a device; cuts its live connection at once
There is no way back: the device needs a new certificate. Asks to type the serial or the device id, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-007 --reason stolen --yes
revoked 77ab31c09f4e4bd2a1c3d4e5f6071829 of gw-007
1 connection cut`,
  ];
  static override args = {
    subject: Args.string({ description: 'a serial number in hex, or a device id', required: true }),
  };
  static override flags = {
    reason: Flags.string({ description: 'why, for the audit log and for the device list', required: true }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<Revoked> {
    const { args, flags } = await this.parse(Revoke);
    const client = await openClient(flags);
    await confirmTyped({
      warning: `revoking ${args.subject} can't be undone: the device is cut off and needs a new certificate`,
      answer: args.subject,
      yes: flags.yes,
      json: this.json,
    });
    return client.revoke({ subject: args.subject, reason: flags.reason });
  }

  protected render(revoked: Revoked): void {
    this.print(formatRevoked(revoked));
  }
}
