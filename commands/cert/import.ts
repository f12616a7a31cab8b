import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { knownPassphrase } from '../../src/cli/passphrase.ts';
import { readInput } from '../../src/cli/read-input.ts';
import { unpackPkcs12 } from '../../src/pki/pkcs12/unpack.ts';
import { maxPkcs12Bytes } from '../../src/pki/pkcs12/read-pkcs12.ts';

interface Imported {
  written: { file: string; kind: 'private-key' | 'certificate' | 'authorities'; what: string }[];
}

export default class Import extends BaseCommand<Imported> {
  static override description = `take the keys and certificates out of a PKCS#12 file, as PEM
RSA and EC, modern and old encryption. Keys are written with mode 0600, and nothing is ever overwritten. The passphrase comes from the terminal or from a file, never from the command line.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway.pfx --out gw-001 --name device
Passphrase of gateway.pfx:
gw-001/device.key     RSA 2048, keep it secret
gw-001/device.crt     CN=gw-001
gw-001/authority.crt  CN=Harbour Devices`,
    '<%= config.bin %> <%= command.id %> gateway.pfx --out gw-001 --passphrase-file gateway.pass --json',
  ];
  static override args = {
    file: Args.string({ description: 'the PKCS#12 file (.p12, .pfx)', required: true }),
  };
  static override flags = {
    out: Flags.directory({ description: 'where the files go; made when missing', required: true, helpValue: 'DIR' }),
    name: Flags.string({ description: 'how key and certificate are named', default: 'device' }),
    'passphrase-file': Flags.string({
      description: 'its passphrase: the first line of a file of mode 0600, or of a pipe',
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<Imported> {
    const { args, flags } = await this.parse(Import);
    const bytes = await readInput(args.file, 'PKCS#12', maxPkcs12Bytes);
    const passphrase = await knownPassphrase(args.file, flags['passphrase-file']);
    const { identities, authorities } = await unpackPkcs12(bytes, passphrase, args.file);
    const contents: (Imported['written'][number] & { pem: string })[] = [];
    for (const [at, { keyKind, keyPem, certificatePem, subject }] of identities.entries()) {
      const stem = join(flags.out, at === 0 ? flags.name : `${flags.name}-${at + 1}`);
      contents.push({ file: `${stem}.key`, kind: 'private-key', what: keyKind, pem: keyPem });
      if (certificatePem === undefined) continue;
      contents.push({ file: `${stem}.crt`, kind: 'certificate', what: subject ?? '', pem: certificatePem });
    }
    if (authorities.length > 0) {
      const what = authorities.map(({ subject }) => subject).join('; ');
      const pem = authorities.map((one) => one.pem).join('');
      contents.push({ file: join(flags.out, 'authority.crt'), kind: 'authorities', what, pem });
    }
    await using files = new NewFiles();
    await files.folder(flags.out, 0o700);
    for (const { file, kind } of contents) await files.reserve(file, kind === 'private-key' ? 0o600 : 0o644);
    for (const { file, pem } of contents) await files.fill(file, pem);
    files.keep();
    return { written: contents.map(({ file, kind, what }) => ({ file, kind, what })) };
  }

  protected render({ written }: Imported): void {
    const width = Math.max(...written.map(({ file }) => file.length));
    const lines = written.map(({ file, kind, what }) => {
      return `${file.padEnd(width)}  ${what}${kind === 'private-key' ? ', keep it secret' : ''}`;
    });
    this.print(lines.join('\n'));
  }
}
