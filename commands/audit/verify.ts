import { Flags } from '@oclif/core';
import { readHead } from '../../src/cli/audit/audit-flag.ts';
import { verifyAudit } from '../../src/cli/audit/verify-audit.ts';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { formatVerification } from '../../src/cli/render/audit.ts';
import type { AuditVerification } from '../../src/client/contract/index.ts';

export default class Verify extends BaseCommand<AuditVerification> {
  static override description = `find out whether the audit log is as it was written, and name the place where it is not
Reads the fleet's database itself, without writing, whether the coordinator runs or not: every row's hash, its link to the row before, and the heads that the coordinator has signed. A changed, missing, moved, replaced or cut row is found by who has not the coordinator's key; who has the whole machine can set all of it back or make it anew, and only a head that was kept elsewhere shows that: --head. Exit code 4 when something is wrong.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --head 43:9b1d…
whole: rows 1 to 57 of /srv/harbour/data/flotilla.db
head:  57:b02e…
note:  12 signed heads agree with the coordinator's key`,
    `$ <%= config.bin %> <%= command.id %>
changed: row 12 was changed: it does not fit its hash
1 problem in 57 rows of /srv/harbour/data/flotilla.db; head 57:b02e…`,
    `<%= config.bin %> <%= command.id %> --file audit-2026-11.ndjson --json`,
    `<%= config.bin %> <%= command.id %> --database /backup/flotilla.db`,
  ];
  static override flags = {
    file: Flags.string({ description: 'an export instead of the log', helpValue: 'FILE' }),
    database: Flags.string({
      description: "another database than the fleet's, such as a backup",
      helpValue: 'FILE',
      exclusive: ['file'],
    }),
    head: Flags.string({
      description: 'a head that was kept: the log must have passed through it',
      helpValue: 'SEQ:HASH',
    }),
  };

  protected async execute(): Promise<AuditVerification> {
    const { flags } = await this.parse(Verify);
    const { file, database } = flags;
    return verifyAudit(flags['fleet-dir'], { ...defined({ file, database, kept: readHead(flags.head) }) });
  }

  protected render(found: AuditVerification): void {
    this.print(formatVerification(found));
  }

  protected override exitCode({ ok }: AuditVerification): ExitCode {
    return ok ? ExitCode.ok : ExitCode.someFailed;
  }
}
