import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { formatAge } from '../../src/cli/human.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { openClient } from '../../src/cli/open-client.ts';
import type { Certificate } from '../../src/client/contract/index.ts';
import { createDeviceKeyAndCsr } from '../../src/pki/create-csr.ts';

interface Issued {
  fleetId: string;
  certificate: Certificate;
  files: { key: string; certificate: string; authority: string };
}

export default class Issue extends BaseCommand<Issued> {
  static override description = `make a key here and a certificate for it, for a device that can't make its own
Prefer \`flotilla agent init\` on the device and \`flotilla cert sign\` here: then the key never travels. The key is written with mode 0600; nothing is ever overwritten.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001 --out ./gw-001
issued gw-001: serial 5f1c0a7702b94d0c8e1f22aa90d3b761, ends in 365d
gw-001/device.key   keep it secret; move it to the device and delete it here
gw-001/device.crt
gw-001/authority.crt`,
    '<%= config.bin %> <%= command.id %> gw-001 --out ./gw-001 --days 90 --json',
  ];
  static override args = {
    device: Args.string({ description: 'the id of the device', required: true }),
  };
  static override flags = {
    out: Flags.directory({ description: 'where the files go; made when missing', required: true, helpValue: 'DIR' }),
    days: Flags.integer({ description: 'how long the certificate holds', min: 1, max: 36_500 }),
    profile: Flags.string({ description: 'of the kind device, in pki/profiles.yaml', helpValue: 'NAME' }),
    name: Flags.string({
      description: 'a name beside its own, as the profile allows: DNS:NAME or IP:ADDRESS; repeatable',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME',
    }),
    pending: Flags.boolean({ description: 'leave the device waiting for `device accept`' }),
  };

  protected async execute(): Promise<Issued> {
    const { args, flags } = await this.parse(Issue);
    const { privateKeyPem, csrPem } = await createDeviceKeyAndCsr(args.device);
    const client = await openClient(flags);
    const files = {
      key: join(flags.out, 'device.key'),
      certificate: join(flags.out, 'device.crt'),
      authority: join(flags.out, 'authority.crt'),
    };
    await using places = new NewFiles();
    await places.folder(flags.out, 0o700);
    await places.reserve(files.key, 0o600);
    await places.reserve(files.certificate);
    await places.reserve(files.authority);
    await places.fill(files.key, privateKeyPem);
    const { certificate, authority, fleetId } = await client.sign({
      csr: csrPem,
      deviceId: args.device,
      ...defined({ days: flags.days, pending: flags.pending, profile: flags.profile, names: flags.name }),
    });
    await places.fill(files.certificate, certificate.pem);
    await places.fill(files.authority, authority);
    places.keep();
    return { fleetId, certificate, files };
  }

  protected render({ certificate, files }: Issued): void {
    this.print(
      `issued ${certificate.deviceId}: serial ${certificate.serial}, ends ${formatAge(certificate.notAfterMs, Date.now())}\n` +
        `${files.key}   keep it secret; move it to the device and delete it here\n${files.certificate}\n${files.authority}`,
    );
  }
}
