import { Args, Flags } from '@oclif/core';
import { auditFilterFlags, readAuditQuery } from '../../src/cli/audit/audit-flag.ts';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { untilInterrupted } from '../../src/cli/interrupt.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatAuditEntry, formatAuditRow } from '../../src/cli/render/audit.ts';
import { streamRows } from '../../src/cli/stream-rows.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { AuditEntry } from '../../src/client/contract/index.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Show extends BaseCommand<'ended' | 'left'> {
  static override streams = true;
  static override description = `show who changed what, from where, on which devices, and what came of it
Every change is a row, written in the transaction of the change itself; so is every attempt that was refused (the same one again and again within a minute is one row with a count), and what the coordinator does by a rule of its own (actor system:RULE). With a number, everything of that row. With --json one row a line.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --limit 3
41  2026-11-25 21:30:05Z  operator:anna (operator) from 198.51.100.7  job.start  j-mb3x1f  12 devices  ok  {"selector":"G@site:harbour","matched":12,"action":{"kind":"reboot"}}
42  2026-11-25 21:31:40Z  system:clone  device.quarantine  gw-007  gw-007  ok  {"reason":"two-instances", …}
43  2026-11-25 21:32:02Z  operator:ben (viewer) from 198.51.100.9  POST /v1/certificates/revoke  -  forbidden role-forbidden  {"message":"your role may not do this"}`,
    `<%= config.bin %> <%= command.id %> --action 'certificate.*' --since 30d`,
    `<%= config.bin %> <%= command.id %> --device gw-007 --json`,
    `<%= config.bin %> <%= command.id %> --result forbidden --follow`,
    `<%= config.bin %> <%= command.id %> 41`,
  ];
  static override args = {
    seq: Args.integer({ description: 'the number of a row: everything of it', min: 1 }),
  };
  static override flags = {
    ...auditFilterFlags,
    from: Flags.integer({ description: 'begin at this row; left out: the newest', min: 1 }),
    limit: Flags.integer({ description: 'at most this many; left out: 20, or 100 with --from', min: 1, max: 10_000 }),
    follow: Flags.boolean({ char: 'f', description: 'go on with new rows until Ctrl-C', exclusive: ['limit'] }),
  };

  protected async execute(): Promise<'ended' | 'left'> {
    const { args, flags } = await this.parse(Show);
    const query = { ...readAuditQuery(flags, Date.now()), ...defined({ from: flags.from }) };
    const client = await openClient(flags);
    const show = (entry: AuditEntry): void =>
      this.json ? this.emit(entry) : this.print(formatAuditEntry(entry, stdoutOption()));
    if (args.seq !== undefined) {
      const [entry] = await client.audit({ from: args.seq, limit: 1 });
      if (entry?.seq !== args.seq) throw unknownRow(args.seq);
      if (this.json) this.emit(entry);
      else this.print(formatAuditRow(entry));
      return 'ended';
    }
    const limit = flags.limit ?? (flags.from === undefined ? 20 : 100);
    if (!flags.follow) {
      for (const entry of await client.audit({ ...query, limit })) show(entry);
      return 'ended';
    }
    const { interrupted } = await untilInterrupted((signal) =>
      streamRows(client.followAudit(query, signal), show, signal),
    );
    return interrupted ? 'left' : 'ended';
  }

  protected render(): void {}

  protected override exitCode(data: 'ended' | 'left'): ExitCode {
    return data === 'left' ? ExitCode.interrupted : ExitCode.ok;
  }
}

function unknownRow(seq: number): FlotillaError {
  return new FlotillaError('usage', 'audit-row-unknown', `the audit log has no row ${seq}`, {
    seen: String(seq),
    suggestion: 'flotilla audit head says how many it has',
  });
}
