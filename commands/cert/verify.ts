import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { readMaterialFile } from '../../src/cli/read-material-file.ts';
import { formatVerdict } from '../../src/cli/render/verdict.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { parseTime } from '../../src/cli/time.ts';
import { type Purpose, purposes } from '../../src/pki/verify/purpose.ts';
import { type NamedBytes, type Verdict, verifyCertificate } from '../../src/pki/verify/verify.ts';

export default class Verify extends BaseCommand<Verdict> {
  static override description = `follow a certificate to what you trust, and say every reason where it does not hold
Signatures, dates, authorities and their limits, names, purposes, critical extensions and, with --crl, revocation; each reason names its place in the chain (0 is the certificate itself). With --purpose it must also name a device, a coordinator or an operator as the coordinator wants it. Exit code 4 when it does not hold. Needs no coordinator.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001/device.crt --ca pki/authority.crt --purpose device
0  CN=gw-001
1  CN=harbour-k3f9x2 issuing authority  trusted
2  CN=harbour-k3f9x2 root authority  trusted

holds as device at 2026-11-22 21:30:05Z`,
    '<%= config.bin %> <%= command.id %> gw-001/device.crt --ca pki/authority.crt --crl fleet.crl --json',
    '<%= config.bin %> <%= command.id %> gw-001/device.crt --ca pki/authority.crt --at 2027-06-01',
  ];
  static override args = {
    file: Args.string({
      description: 'the certificate, followed by those that it came with; - is standard input',
      required: true,
    }),
  };
  static override flags = {
    ca: Flags.string({
      description: 'the authorities that you trust; may be given several times',
      required: true,
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
    }),
    crl: Flags.string({
      description: 'revocation lists; the certificate then needs a current one. May be given several times',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
    }),
    purpose: Flags.string({ description: 'what it must be good for', options: [...purposes] }),
    at: Flags.string({ description: 'the time to judge it at, instead of now', helpValue: 'TIME' }),
    partial: Flags.boolean({ description: 'trust every certificate of --ca, also those that are not self-signed' }),
  };

  protected async execute(): Promise<Verdict> {
    const { args, flags } = await this.parse(Verify);
    const nowMs = Date.now();
    return verifyCertificate({
      certificate: await read(args.file),
      trusted: await Promise.all(flags.ca.map(read)),
      ...(flags.crl === undefined ? {} : { lists: await Promise.all(flags.crl.map(read)) }),
      purpose: flags.purpose as Purpose | undefined,
      atMs: parseTime(flags.at, '--at', nowMs) ?? nowMs,
      partial: flags.partial,
    });
  }

  protected render(verdict: Verdict): void {
    this.print(formatVerdict(verdict, stdoutOption()));
  }

  protected override exitCode({ ok }: Verdict): ExitCode {
    return ok ? ExitCode.ok : ExitCode.someFailed;
  }
}

async function read(path: string): Promise<NamedBytes> {
  const { file, bytes } = await readMaterialFile(path, 'a certificate or a revocation list');
  return { source: file === '-' ? 'standard input' : file, bytes };
}
