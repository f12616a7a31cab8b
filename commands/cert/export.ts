import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { newPassphrase } from '../../src/cli/passphrase.ts';
import { readMaterialFile } from '../../src/cli/read-material-file.ts';
import { readGivenPassphrase } from '../../src/pki/passphrase.ts';
import { gatherPkcs12 } from '../../src/pki/pkcs12/gather.ts';
import { writePkcs12 } from '../../src/pki/pkcs12/write-pkcs12.ts';

interface Exported {
  file: string;
  /** Subjects, the certificate of the key first. */
  certificates: string[];
  key: string;
  legacy: boolean;
}

export default class Export extends BaseCommand<Exported> {
  static override description = `put a key, its certificate and the authorities above it into one PKCS#12 file
For browsers, Windows, Java and other tools that want a .p12 or .pfx. Encrypted by AES-256 and authenticated with SHA-256; --legacy is for what can't read that. The passphrase comes from the terminal or from a file, never from the command line. The file has mode 0600; nothing is ever overwritten.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> pki/operator-admin.crt --key pki/operator-admin.key --chain pki/authority.crt --out admin.p12
Passphrase of admin.p12:
Passphrase of admin.p12, again:
wrote admin.p12: EC P-256 key, CN=admin, and 2 authorities`,
    '<%= config.bin %> <%= command.id %> device.crt --key device.key --out device.p12 --passphrase-file device.pass --json',
  ];
  static override args = {
    certificate: Args.string({ description: 'the certificate of the key, and those that follow it', required: true }),
  };
  static override flags = {
    key: Flags.string({ description: 'its private key, of mode 0600', required: true, helpValue: 'FILE' }),
    chain: Flags.string({
      description: 'authorities to put in; may be given several times',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
    }),
    out: Flags.file({ description: 'write it here', required: true, helpValue: 'FILE' }),
    name: Flags.string({ description: 'what tools show for it; its subject when left out' }),
    legacy: Flags.boolean({ description: '3DES and SHA-1, for tools before 2019' }),
    'passphrase-file': Flags.string({
      description: 'the passphrase of the new file: the first line of a file of mode 0600, or of a pipe',
      helpValue: 'FILE',
    }),
    'key-passphrase-file': Flags.string({
      description: 'the passphrase of --key, where that is encrypted',
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<Exported> {
    const { args, flags } = await this.parse(Export);
    const keyPassphrase = flags['key-passphrase-file'];
    const gathered = await gatherPkcs12({
      keyFile: flags.key,
      certificate: await readMaterialFile(args.certificate, 'a certificate'),
      chain: await Promise.all((flags.chain ?? []).map((file) => readMaterialFile(file, 'certificates'))),
      ...(keyPassphrase === undefined ? {} : { keyPassphrase: await readGivenPassphrase(keyPassphrase) }),
    });
    await using files = new NewFiles();
    await files.reserve(flags.out, 0o600);
    const passphrase = await newPassphrase(flags.out, flags['passphrase-file']);
    const friendlyName = flags.name ?? gathered.subjects[0]!.replace(/^CN=/, '');
    await files.fill(flags.out, await writePkcs12({ ...gathered, friendlyName, passphrase, legacy: flags.legacy }));
    files.keep();
    return { file: flags.out, certificates: gathered.subjects, key: gathered.keyKind, legacy: flags.legacy };
  }

  protected render({ file, certificates, key }: Exported): void {
    const above = certificates.length - 1;
    const authorities = above === 0 ? '' : `, and ${above === 1 ? '1 authority' : `${above} authorities`}`;
    this.print(`wrote ${file}: ${key} key, ${certificates[0]}${authorities}`);
  }
}
