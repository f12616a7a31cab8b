import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatCertificates } from '../../src/cli/render/certificate.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Certificate } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Certificate[]> {
  static override description = 'list the device certificates that this fleet has issued';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
SERIAL                            DEVICE  STATE    ISSUED   ENDS      REASON
5f1c0a…                           gw-001  valid    2d ago   in 362d   -
77ab31…                           gw-002  revoked  2d ago   in 362d   stolen`,
    '<%= config.bin %> <%= command.id %> --device gw-001 --json',
  ];
  static override flags = {
    device: Flags.string({ description: 'only those of this device', helpValue: 'ID' }),
  };

  protected async execute(): Promise<Certificate[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.certificates(defined({ device: flags.device }));
  }

  protected render(certificates: Certificate[]): void {
    this.print(formatCertificates(certificates, Date.now(), stdoutOption()));
  }
}
