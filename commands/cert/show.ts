import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readInput } from '../../src/cli/read-input.ts';
import { formatCertificate } from '../../src/cli/render/certificate.ts';
import type { Certificate } from '../../src/client/contract/index.ts';
import { type CertificateDescription, describeCertificate, parseCertificate } from '../../src/pki/certificate.ts';

/** What stands in the certificate, and what only the coordinator knows of it. */
type Shown = CertificateDescription &
  Partial<
    Pick<
      Certificate,
      | 'issuedAtMs'
      | 'revokedAtMs'
      | 'revocationReason'
      | 'renews'
      | 'provenAtMs'
      | 'replacedBy'
      | 'replacedAtMs'
      | 'pem'
    >
  >;

const serialPattern = /^[0-9a-fA-F]{8,40}$/;

export default class Show extends BaseCommand<Shown> {
  static override description = `show one certificate
A serial number asks the coordinator, which also knows a revocation; anything else is a file (PEM or DER) that is read here, without a coordinator.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 5f1c0a7702b94d0c8e1f22aa90d3b761
kind:     device
serial:   5f1c0a7702b94d0c8e1f22aa90d3b761
device:   gw-001
state:    valid
subject:  CN=gw-001
issuer:   CN=harbour issuing authority
key:      EC P-256
valid:    2026-11-22T20:30:05.000Z to 2027-11-22T21:30:05.000Z (in 365d)`,
    '<%= config.bin %> <%= command.id %> ./gw-001/device.crt',
  ];
  static override args = {
    certificate: Args.string({ description: 'a serial number in hex, or a file', required: true }),
  };

  protected async execute(): Promise<Shown> {
    const { args, flags } = await this.parse(Show);
    if (serialPattern.test(args.certificate)) {
      const client = await openClient(flags);
      const { issuedAtMs, revokedAtMs, revocationReason, renews, provenAtMs, replacedBy, replacedAtMs, pem } =
        await client.certificate(args.certificate.toLowerCase());
      const known = defined({ revokedAtMs, revocationReason, renews, provenAtMs, replacedBy, replacedAtMs });
      return { ...describeCertificate(pem), issuedAtMs, ...known, pem };
    }
    const parsed = parseCertificate(
      await readInput(args.certificate, 'a serial number in hex, or a file with a certificate'),
      args.certificate,
    );
    return describeCertificate(parsed);
  }

  protected render(shown: Shown): void {
    this.print(formatCertificate(shown, Date.now()));
  }
}
