import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { untilInterrupted } from '../../src/cli/interrupt.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatEvent } from '../../src/cli/render/event.ts';
import { streamRows } from '../../src/cli/stream-rows.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { StoredEvent } from '../../src/client/contract/index.ts';

export default class Tail extends BaseCommand<'ended' | 'left'> {
  static override streams = true;
  static override description = `show events of the log: the last ones, or from an offset; with --follow, new ones as they come
Offsets count all events of the fleet from 1 and never change: remember the last one you saw and go on from the next. With --json one event a line.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --limit 2
347  2026-11-22 21:30:05Z  gw-001  flotilla.boot  {"running":{"bootId":"7f0c…"}}
348  2026-11-22 21:30:06Z  gw-001  flotilla.grains  {"grains":{"os":"linux"}}`,
    `<%= config.bin %> <%= command.id %> --follow --type 'flotilla.update' --selector 'G@site:harbour' --json`,
    '<%= config.bin %> <%= command.id %> --from 1 --follow',
  ];
  static override flags = {
    from: Flags.integer({ description: 'begin at this offset', min: 1 }),
    limit: Flags.integer({ description: 'at most this many; left out: 20, or 100 with --from', min: 1 }),
    type: Flags.string({ description: "only this type; a glob, such as 'flotilla.*'", helpValue: 'GLOB' }),
    selector: Flags.string({ description: 'only events of devices that match', helpValue: 'SELECTOR' }),
    'as-written': Flags.boolean({
      description: 'Avro payloads by the schema of their writer, not by the newest that is registered',
    }),
    follow: Flags.boolean({ char: 'f', description: 'go on with new events until Ctrl-C' }),
  };

  protected async execute(): Promise<'ended' | 'left'> {
    const { flags } = await this.parse(Tail);
    const client = await openClient(flags['fleet-dir']);
    const { from, limit, type, selector, follow } = flags;
    const filter = defined({ type, selector, asWritten: flags['as-written'] || undefined });
    const show = (event: StoredEvent) =>
      this.json ? this.emit(event) : this.print(formatEvent(event, stdoutOption()));
    if (!follow) {
      const page = await client.events({
        ...filter,
        ...defined({ from, limit: limit ?? (from === undefined ? 20 : undefined) }),
      });
      for (const event of page) show(event);
      return 'ended';
    }
    const ended = await untilInterrupted((signal) => {
      const rows = client.followEvents({ ...filter, ...defined({ from }) }, signal);
      return streamRows(rows, show, signal, limit);
    });
    return ended.interrupted ? 'left' : 'ended';
  }

  protected render(): void {}

  protected override exitCode(end: 'ended' | 'left'): ExitCode {
    return end === 'left' ? ExitCode.interrupted : ExitCode.ok;
  }
}
