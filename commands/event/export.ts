import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { asWrittenFlag, eventFilterFlags, eventTimeFlags, readEventFilter } from '../../src/cli/event-filter.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { exportToFile, exportToStdout, type Exported } from '../../src/cli/export-events.ts';
import { plural } from '../../src/cli/human.ts';
import { untilInterrupted } from '../../src/cli/interrupt.ts';
import { openClient } from '../../src/cli/open-client.ts';

interface Ended extends Exported {
  out?: string;
  interrupted: boolean;
}

export default class Export extends BaseCommand<Ended> {
  static override streams = true;
  static override description = `write every event that matches, one JSON document a line
Everything that is in the log when it starts, without a limit and without holding it in memory; the ingest of new events goes on meanwhile. With --out the file is there only when it is whole. At the end, or at Ctrl-C, stderr tells the offset to go on from: with --from the next export continues where this one ended. With --json that line is JSON too.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --type 'meter.*' --since 2h --out readings.ndjson
1200 events, next offset 9841: --from 9841 goes on`,
    `<%= config.bin %> <%= command.id %> --selector 'G@site:harbour' --from 9841 | jq .payload`,
    `<%= config.bin %> <%= command.id %> --since 2026-11-01 --until 2026-11-08 --device-time`,
  ];
  static override flags = {
    from: Flags.integer({ description: 'begin at this offset', min: 1 }),
    ...eventFilterFlags,
    ...eventTimeFlags,
    ...asWrittenFlag,
    out: Flags.string({ description: 'write into this file, which is replaced when all is there', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<Ended> {
    const { flags } = await this.parse(Export);
    const view = defined({ from: flags.from, asWritten: flags['as-written'] || undefined });
    const query = { ...readEventFilter(flags, Date.now()), ...view };
    const client = await openClient(flags);
    const at: Exported = { events: 0, nextOffset: flags.from ?? 1 };
    const { out } = flags;
    const { interrupted } = await untilInterrupted((signal) =>
      out === undefined ? exportToStdout(client, query, at, signal) : exportToFile(client, query, out, at, signal),
    );
    const ended = { ...at, ...defined({ out }), interrupted };
    process.stderr.write(`${this.json ? JSON.stringify(ended) : sentenceOf(ended)}\n`);
    return ended;
  }

  protected render(): void {}

  protected override exitCode({ interrupted }: Ended): ExitCode {
    return interrupted ? ExitCode.interrupted : ExitCode.ok;
  }
}

function sentenceOf({ events, nextOffset, out, interrupted }: Ended): string {
  if (interrupted && out !== undefined) return `interrupted at offset ${nextOffset}; ${out} was not written`;
  const count = plural(events, 'event');
  return `${interrupted ? 'interrupted: ' : ''}${count}, next offset ${nextOffset}: --from ${nextOffset} goes on`;
}
