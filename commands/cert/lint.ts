import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { readMaterialFile, type MaterialFile } from '../../src/cli/read-material-file.ts';
import { formatCertificateFindings } from '../../src/cli/render/certificate-finding.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { CertificateFinding } from '../../src/pki/lint/finding.ts';
import { lintMaterial } from '../../src/pki/lint/lint.ts';
import { readGivenPassphrase } from '../../src/pki/passphrase.ts';

interface Linted {
  /** False when there is an error; with --strict, when there is an error or a warning. */
  ok: boolean;
  findings: CertificateFinding[];
}

const secondsPerDay = 86_400;

export default class Lint extends BaseCommand<Linted> {
  static override description = `find what is wrong with certificates, keys, requests, revocation lists and PKCS#12
Files that are named together are also compared: a key with its certificate, a chain with its authorities. Every finding says what stands there, why it matters, and what to do; the codes are listed in docs/guide/certificates.md. Exit code 4 when there is an error (with --strict also for warnings); advice never fails. Needs no coordinator.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001/device.crt gw-001/device.key
error key-file-exposed  gw-001/device.key
  seen  mode 0644 on a file with a private key
  why   others on this machine may read it; flotilla refuses such a key
  do    chmod 600, ask who could have read it, and replace the key if in doubt

1 error, 0 warnings, 0 pieces of advice`,
    '<%= config.bin %> <%= command.id %> pki/*.crt --ends-within 90d --strict --json',
  ];
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'files, one or more; - is standard input', required: true }),
  };
  static override flags = {
    strict: Flags.boolean({ description: 'let warnings fail too' }),
    'ends-within': Flags.string({
      description: 'warn of certificates that end within this time',
      default: '30d',
      helpValue: 'DURATION',
    }),
    'passphrase-file': Flags.string({
      description: 'opens encrypted keys and PKCS#12: the first line of a file of mode 0600, or of a pipe',
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<Linted> {
    const { argv, flags } = await this.parse(Lint);
    const soonDays = parseDuration(flags['ends-within'], '--ends-within') / secondsPerDay;
    const path = flags['passphrase-file'];
    const passphrase = path === undefined ? undefined : await readGivenPassphrase(path);
    const files: MaterialFile[] = [];
    for (const file of argv as string[]) files.push(await readMaterialFile(file, 'a certificate or the like'));
    const findings = await lintMaterial(files, { nowMs: Date.now(), soonDays, passphrase });
    const fails = (severity: string) => severity === 'error' || (flags.strict && severity === 'warning');
    return { ok: !findings.some(({ severity }) => fails(severity)), findings };
  }

  protected render({ findings }: Linted): void {
    this.print(formatCertificateFindings(findings, stdoutOption()));
  }

  protected override exitCode({ ok }: Linted): ExitCode {
    return ok ? ExitCode.ok : ExitCode.someFailed;
  }
}
