import { Flags } from '@oclif/core';
import { exportAudit, type ExportedAudit } from '../../src/cli/audit/export-audit.ts';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { plural } from '../../src/cli/human.ts';
import { untilInterrupted } from '../../src/cli/interrupt.ts';
import { openClient } from '../../src/cli/open-client.ts';

type Ended = ExportedAudit & { out?: string; interrupted: boolean };

export default class Export extends BaseCommand<Ended> {
  static override streams = true;
  static override description = `write the audit log as NDJSON that audit verify --file can check anywhere
The first line is a header with a head that the coordinator signs for it, the last one a trailer; between them stand the rows, their texts exactly as they were hashed (devices and detail are JSON inside of a string). With --from only what came since the last export. An export is itself a row of the log. At the end stderr tells the head; with --json that line is JSON.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --out audit-2026-11.ndjson
44 rows, head 44:1c0d…: --from 45 goes on`,
    `<%= config.bin %> <%= command.id %> --from 45 | gzip > audit-2026-12.ndjson.gz`,
    `<%= config.bin %> <%= command.id %> | jq -r 'select(.kind == "entry") | [.actor, .action, .result] | @tsv'`,
  ];
  static override flags = {
    from: Flags.integer({ description: 'begin at this row', min: 1 }),
    out: Flags.string({ description: 'write into this file, which is replaced when all is there', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<Ended> {
    const { flags } = await this.parse(Export);
    const client = await openClient(flags);
    const { from, out } = flags;
    const exported = await untilInterrupted((signal) => exportAudit(client, defined({ from }), out, signal));
    const ended = exported.interrupted
      ? { rows: 0, head: '', nextSeq: from ?? 1, interrupted: true }
      : { ...exported.value, ...defined({ out }), interrupted: false };
    process.stderr.write(`${this.json ? JSON.stringify(ended) : sentenceOf(ended)}\n`);
    return ended;
  }

  protected render(): void {}

  protected override exitCode({ interrupted }: Ended): ExitCode {
    return interrupted ? ExitCode.interrupted : ExitCode.ok;
  }
}

function sentenceOf({ rows, head, nextSeq, interrupted }: Ended): string {
  if (interrupted) return 'interrupted: what was written has no trailer and is not whole';
  return `${plural(rows, 'row')}, head ${head}: --from ${nextSeq} goes on`;
}
