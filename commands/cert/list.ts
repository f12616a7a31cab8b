import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatCertificates } from '../../src/cli/render/certificate.ts';
import { selectCertificates } from '../../src/cli/select-certificates.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Certificate } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Certificate[]> {
  static override description = `list the device certificates that this fleet has issued, the one that ends first on top
--expiring, --expired and --revoked add up. Exit code 0 also when there is none.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
SERIAL                            DEVICE  STATE    ISSUED   ENDS      REASON
5f1c0a…                           gw-001  valid    2d ago   in 362d   -
77ab31…                           gw-002  revoked  2d ago   in 362d   stolen`,
    '<%= config.bin %> <%= command.id %> --device gw-001 --json',
    '<%= config.bin %> <%= command.id %> --expiring 30d --expired',
  ];
  static override flags = {
    device: Flags.string({ description: 'only those of this device', helpValue: 'ID' }),
    expiring: Flags.string({
      description: 'those that end within this time, and are not revoked',
      helpValue: 'DURATION',
    }),
    expired: Flags.boolean({ description: 'those that have ended, and were not revoked' }),
    revoked: Flags.boolean({ description: 'those that were revoked' }),
  };

  protected async execute(): Promise<Certificate[]> {
    const { flags } = await this.parse(List);
    const { device, expiring, expired, revoked } = flags;
    const expiringWithinMs = expiring === undefined ? undefined : parseDuration(expiring, '--expiring') * 1000;
    const client = await openClient(flags);
    const certificates = await client.certificates(defined({ device }));
    return selectCertificates(certificates, { expiringWithinMs, expired, revoked }, Date.now());
  }

  protected render(certificates: Certificate[]): void {
    this.print(formatCertificates(certificates, Date.now(), stdoutOption()));
  }
}
