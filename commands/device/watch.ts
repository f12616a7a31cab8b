import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { untilInterrupted } from '../../src/cli/interrupt.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatWatchRow } from '../../src/cli/render/device.ts';
import { streamRows } from '../../src/cli/stream-rows.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';

export default class Watch extends BaseCommand<void> {
  static override streams = true;
  static override description = `watch devices come, go and change, until Ctrl-C
First every device as it is now, then each change as it happens. With --json one JSON document a line: {"kind":"device"|"synced"|"removed", …}.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour'
2026-11-22 21:30:05Z  gw-001  accepted  connected  1.0.0  ring=canary
-- this is the fleet now; changes follow --
2026-11-22 21:31:40Z  gw-001  accepted  offline  1.0.0  ring=canary`,
    '<%= config.bin %> <%= command.id %> --json',
  ];
  static override args = {
    selector: Args.string({ description: 'only devices that match; all when left out' }),
  };

  protected async execute(): Promise<void> {
    const { args, flags } = await this.parse(Watch);
    const client = await openClient(flags);
    await untilInterrupted((signal) => {
      const rows = client.watchDevices(defined({ selector: args.selector }), signal);
      return streamRows(
        rows,
        (row) => (this.json ? this.emit(row) : this.print(formatWatchRow(row, Date.now(), stdoutOption()))),
        signal,
      );
    });
  }

  protected render(): void {}

  /** It only ends by Ctrl-C. */
  protected override exitCode(): ExitCode {
    return ExitCode.interrupted;
  }
}
