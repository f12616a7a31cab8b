import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { formatAge } from '../../src/cli/human.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readInput } from '../../src/cli/read-input.ts';
import type { Signed } from '../../src/client/contract/index.ts';
import { readCsrPem } from '../../src/pki/csr.ts';

type SignedTo = Signed & { written: string[] };

export default class Sign extends BaseCommand<SignedTo> {
  static override description = `sign a device's certificate request
The device made its own key and keeps it; only the request comes here. Signing also accepts the device, unless --pending. Without --out the certificate is printed.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001/device.csr --out gw-001/device.crt --authority-out gw-001/authority.crt
signed gw-001: serial 5f1c0a7702b94d0c8e1f22aa90d3b761, ends in 365d
wrote gw-001/device.crt, gw-001/authority.crt`,
    '<%= config.bin %> <%= command.id %> request.pem --device gw-001 --days 90 --pending',
  ];
  static override args = {
    csr: Args.file({ description: 'the request, PEM or DER; EC P-256, P-384, or RSA from 2048 bits', required: true }),
  };
  static override flags = {
    device: Flags.string({ description: 'refuse unless the request is for this device', helpValue: 'ID' }),
    days: Flags.integer({ description: 'how long the certificate holds', min: 1, max: 36_500 }),
    profile: Flags.string({ description: 'of the kind device, in pki/profiles.yaml', helpValue: 'NAME' }),
    name: Flags.string({
      description: 'a name beside its own, as the profile allows: DNS:NAME or IP:ADDRESS; repeatable',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME',
    }),
    pending: Flags.boolean({ description: 'leave the device waiting for `device accept`' }),
    out: Flags.file({ description: 'write the certificate here; never overwrites', helpValue: 'FILE' }),
    'authority-out': Flags.file({
      description: 'write the authorities that the device must trust here; never overwrites',
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<SignedTo> {
    const { args, flags } = await this.parse(Sign);
    const csr = readCsrPem(await readInput(args.csr, 'a certificate signing request'));
    // The places are taken before anything is signed: a certificate must not be issued and then lost.
    await using files = new NewFiles();
    if (flags.out !== undefined) await files.reserve(flags.out);
    if (flags['authority-out'] !== undefined) await files.reserve(flags['authority-out']);
    const client = await openClient(flags);
    const signed = await client.sign({
      csr,
      ...defined({
        deviceId: flags.device,
        days: flags.days,
        pending: flags.pending,
        profile: flags.profile,
        names: flags.name,
      }),
    });
    if (flags.out !== undefined) await files.fill(flags.out, signed.certificate.pem);
    if (flags['authority-out'] !== undefined) await files.fill(flags['authority-out'], signed.authority);
    return { ...signed, written: files.keep() };
  }

  protected render({ certificate, written }: SignedTo): void {
    const ends = formatAge(certificate.notAfterMs, Date.now());
    const said = `signed ${certificate.deviceId}: serial ${certificate.serial}, ends ${ends}`;
    if (written.length > 0) this.print(`${said}\nwrote ${written.join(', ')}`);
    else {
      this.note(said);
      this.print(certificate.pem);
    }
  }
}
