import { BaseCommand } from '../src/cli/base-command.ts';
import { examine } from '../src/cli/doctor/examine.ts';
import type { Finding } from '../src/cli/doctor/finding.ts';
import { ExitCode } from '../src/cli/exit-code.ts';
import { formatFindings } from '../src/cli/render/finding.ts';
import { stdoutOption } from '../src/cli/terminal.ts';

interface Examined {
  /** Of this document. */
  version: 1;
  /** False when anything has failed; warnings do not count. */
  ok: boolean;
  findings: Finding[];
}

export default class Doctor extends BaseCommand<Examined> {
  static override description = `look over this machine and this fleet, and say how to mend what is wrong
Runtime, clocks (of this machine, of devices), permissions of every secret and folder, certificates, ticket keys, disk, database, audit log, coordinator, ports, file descriptors, what is left of one that was killed, dead letters, alerts, versions. Works without a coordinator, and with one elsewhere (--context) as far as its API tells. Changes nothing. Exit code 4 when something has failed; warnings alone are 0.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
ok    node         v24.21.0
ok    clock        2026-11-22T21:30:05.000Z, synchronised
fail  keys         /srv/harbour/pki/issuing.key has mode 0644: others can read it
                   mend: chmod 600 /srv/harbour/pki/issuing.key; if others could log in here, make new keys
ok    audit        whole, 57 rows, head 57:b02e91f3…: keep one elsewhere now and then, flotilla audit head
warn  coordinator  does not answer: ENOENT on /srv/harbour/run/api.sock
                   mend: flotilla coordinator start --detach
1 failed, 1 warning`,
    `<%= config.bin %> <%= command.id %> --json | jq '.findings[] | select(.verdict != "ok")'`,
    `<%= config.bin %> <%= command.id %> --context harbour`,
  ];

  protected async execute(): Promise<Examined> {
    const { flags } = await this.parse(Doctor);
    const findings = await examine(flags, Date.now());
    return { version: 1, ok: findings.every(({ verdict }) => verdict !== 'fail'), findings };
  }

  protected render({ findings }: Examined): void {
    this.print(formatFindings(findings, stdoutOption()));
  }

  protected override exitCode({ ok }: Examined): ExitCode {
    return ok ? ExitCode.ok : ExitCode.someFailed;
  }
}
