import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { readInput } from '../../src/cli/read-input.ts';
import { openRoot, rootFlags } from '../../src/cli/root-authority.ts';
import { parseAuthorityCsr, signAuthorityCsr } from '../../src/pki/authority-request.ts';
import { type CertificateDescription, describeCertificate } from '../../src/pki/certificate.ts';
import { constraintText } from '../../src/pki/name-constraint.ts';

interface SignedIssuing {
  certificate: CertificateDescription;
  nameConstraint: string;
  pem: string;
  written?: string;
}

export default class SignIssuing extends BaseCommand<SignedIssuing> {
  static override description = `sign the request for an issuing authority with the root, on a machine without a network
Needs no coordinator. The request comes from \`ca rotate --request-out\`, the certificate goes back with \`ca rotate --certificate\`.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> issuing-2.csr --root root.export --out issuing-2.crt
Passphrase of the root key:
signed CN=harbour-k3f9x2 issuing authority 2
names it may give: any
wrote issuing-2.crt`,
    '<%= config.bin %> <%= command.id %> issuing-2.csr --root root.export --passphrase-file root.pass --json',
  ];
  static override args = {
    request: Args.file({ description: 'the request, a PEM file', required: true }),
  };
  static override flags = {
    ...rootFlags,
    out: Flags.file({ description: 'write the certificate here; never overwrites', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<SignedIssuing> {
    const { args, flags } = await this.parse(SignIssuing);
    const text = (await readInput(args.request, 'a request for an issuing authority')).toString('utf8');
    const request = await parseAuthorityCsr(text, args.request);
    await using files = new NewFiles();
    if (flags.out !== undefined) await files.reserve(flags.out);
    const root = await openRoot({
      root: flags.root,
      passphraseFile: flags['passphrase-file'],
      fleetDir: flags['fleet-dir'],
    });
    const pem = await signAuthorityCsr(root, request);
    if (flags.out !== undefined) await files.fill(flags.out, pem);
    const [written] = files.keep();
    const certificate = describeCertificate(pem);
    const nameConstraint = constraintText(request.nameConstraint);
    return { certificate, nameConstraint, pem, ...(written === undefined ? {} : { written }) };
  }

  protected render({ certificate, nameConstraint, pem, written }: SignedIssuing): void {
    const may = nameConstraint === 'none' ? 'any' : nameConstraint;
    const said = `signed ${certificate.subject}\nnames it may give: ${may}`;
    if (written !== undefined) return this.print(`${said}\nwrote ${written}`);
    this.note(said);
    this.print(pem);
  }
}
