import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { readMaterialFile } from '../../src/cli/read-material-file.ts';
import { formatInspection } from '../../src/cli/render/inspection.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { inspect, type Inspection } from '../../src/pki/inspect/index.ts';
import { readGivenPassphrase } from '../../src/pki/passphrase.ts';

export default class Inspect extends BaseCommand<Inspection> {
  static override description = `say what stands in a certificate, chain, key, request, revocation list or PKCS#12
PEM or DER is found out by looking. Nothing is judged (that is \`cert lint\` and \`cert verify\`), and of a private key only the kind and the fingerprint of its public half are told. Needs no coordinator.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001/device.crt
gw-001/device.crt: PEM, 761 B, mode 0644

certificate
role:             device
device:           gw-001
subject:          CN=gw-001
issuer:           CN=harbour-k3f9x2 issuing authority
…`,
    '<%= config.bin %> <%= command.id %> - --json < fleet.crl',
    '<%= config.bin %> <%= command.id %> operator.p12 --passphrase-file operator.pass',
  ];
  static override args = {
    file: Args.string({ description: 'the file; - is standard input', required: true }),
  };
  static override flags = {
    'passphrase-file': Flags.string({
      description: 'opens an encrypted key or PKCS#12: the first line of a file of mode 0600, or of a pipe',
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<Inspection> {
    const { args, flags } = await this.parse(Inspect);
    const path = flags['passphrase-file'];
    const passphrase = path === undefined ? undefined : await readGivenPassphrase(path);
    return inspect({ ...(await readMaterialFile(args.file, 'a certificate or the like')), passphrase });
  }

  protected render(inspection: Inspection): void {
    this.print(formatInspection(inspection, Date.now(), stdoutOption()));
  }
}
