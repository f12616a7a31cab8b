import { BaseCommand } from '../src/cli/base-command.ts';
import { examine } from '../src/cli/doctor/examine.ts';
import type { Finding } from '../src/cli/doctor/finding.ts';
import { ExitCode } from '../src/cli/exit-code.ts';
import { formatFindings } from '../src/cli/render/finding.ts';
import { stdoutOption } from '../src/cli/terminal.ts';

interface Examined {
  /** False when anything is bad; warnings do not count. */
  ok: boolean;
  findings: Finding[];
}

export default class Doctor extends BaseCommand<Examined> {
  static override description = `look over this machine and this fleet, and say how to mend what is wrong
Changes nothing. Exit code 4 when something is bad.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
ok    node          v24.21.0
ok    fwup          not on PATH; the builtin engine is used
ok    clock         2026-11-22T21:30:05.000Z, synchronised
ok    fleet         harbour-k3f9x2 in /srv/harbour
bad   keys          /srv/harbour/pki/issuing.key has mode 0644: others can read it
                    mend: chmod 600 /srv/harbour/pki/issuing.key; if others could log in here, make new keys
ok    disk          41 GiB free for /srv/harbour/data
warn  coordinator   does not answer: ENOENT on /srv/harbour/run/api.sock
                    mend: flotilla coordinator start --detach
1 bad, 1 warning`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Examined> {
    const { flags } = await this.parse(Doctor);
    const findings = await examine(flags['fleet-dir'], Date.now());
    return { ok: findings.every(({ verdict }) => verdict !== 'bad'), findings };
  }

  protected render({ findings }: Examined): void {
    this.print(formatFindings(findings, stdoutOption()));
  }

  protected override exitCode({ ok }: Examined): ExitCode {
    return ok ? ExitCode.ok : ExitCode.someFailed;
  }
}
