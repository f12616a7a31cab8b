import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { consumeEvents } from '../../src/cli/consume-events.ts';
import { defined } from '../../src/cli/defined.ts';
import { asWrittenFlag, eventFilterFlags, eventTimeFlags, readEventFilter } from '../../src/cli/event-filter.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { untilInterrupted } from '../../src/cli/interrupt.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatEvent } from '../../src/cli/render/event.ts';
import { streamRows } from '../../src/cli/stream-rows.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { writeText } from '../../src/cli/write-line.ts';
import type { CoordinatorClient } from '../../src/client/coordinator-client.ts';
import type { StoredEvent } from '../../src/client/contract/index.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Tail extends BaseCommand<'ended' | 'left'> {
  static override streams = true;
  static override description = `show events of the log: the last ones, or from an offset; with --follow, new ones as they come
Offsets count all events of the fleet from 1 and never change: remember the last one you saw and go on from the next. Or let the coordinator remember it: with --consumer it starts behind what that consumer has seen, from the first event for a new one, and acknowledges what it has printed. With --json one event a line.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --limit 2
347  2026-11-22 21:30:05Z  gw-001  flotilla.boot  {"running":{"bootId":"7f0c…"}}
348  2026-11-22 21:30:06Z  gw-001  flotilla.grains  {"grains":{"os":"linux"}}`,
    `<%= config.bin %> <%= command.id %> --follow --type 'flotilla.update' --selector 'G@site:harbour' --json`,
    '<%= config.bin %> <%= command.id %> --from 1 --follow',
    '<%= config.bin %> <%= command.id %> --since 2h --key pump-3',
    '<%= config.bin %> <%= command.id %> --device gw-107 --lineage',
    `<%= config.bin %> <%= command.id %> --consumer billing --type 'meter.*' --follow --json`,
  ];
  static override flags = {
    from: Flags.integer({ description: 'begin at this offset', min: 1 }),
    limit: Flags.integer({
      description: 'at most this many; left out: 20, or 100 with --from, or all with --consumer',
      min: 1,
    }),
    ...eventFilterFlags,
    ...eventTimeFlags,
    ...asWrittenFlag,
    device: Flags.string({
      description: 'only events of this device',
      helpValue: 'ID',
      exclusive: ['selector', 'consumer'],
    }),
    lineage: Flags.boolean({
      description: 'with --device: also of the hardware that was in its place before',
      dependsOn: ['device'],
    }),
    follow: Flags.boolean({ char: 'f', description: 'go on with new events until Ctrl-C' }),
    consumer: Flags.string({
      description: 'behind the cursor of this name, and move it',
      helpValue: 'NAME',
      exclusive: ['as-written'],
    }),
    'in-flight': Flags.integer({
      description: 'with --consumer: at most so many that are printed and not acknowledged',
      min: 1,
      max: 1_000,
      dependsOn: ['consumer'],
    }),
  };

  protected async execute(): Promise<'ended' | 'left'> {
    const { flags } = await this.parse(Tail);
    const client = await openClient(flags);
    const { from, limit, follow, consumer } = flags;
    const selector =
      flags.device === undefined ? flags.selector : await selectPlace(client, flags.device, flags.lineage);
    const filter = readEventFilter({ ...flags, selector }, Date.now());
    const view = defined({ asWritten: flags['as-written'] || undefined });
    const line = (event: StoredEvent) =>
      this.json ? `${JSON.stringify(event)}\n` : formatEvent(event, stdoutOption());
    if (consumer !== undefined) {
      if (flags.since !== undefined || flags.until !== undefined) throw timeWithConsumer();
      const query = { ...filter, ...defined({ from, limit, inFlight: flags['in-flight'] }), once: !follow };
      const show = (event: StoredEvent): Promise<void> => writeText(process.stdout, line(event));
      const consumed = await untilInterrupted((signal) => consumeEvents(client, consumer, query, show, signal));
      return consumed.interrupted ? 'left' : 'ended';
    }
    if (!follow) {
      const page = await client.events({
        ...filter,
        ...view,
        ...defined({ from, limit: limit ?? (from === undefined ? 20 : undefined) }),
      });
      for (const event of page) await writeText(process.stdout, line(event));
      return 'ended';
    }
    const ended = await untilInterrupted((signal) => {
      const rows = client.followEvents({ ...filter, ...view, ...defined({ from }) }, signal);
      return streamRows(rows, (event) => void process.stdout.write(line(event)), signal, limit);
    });
    return ended.interrupted ? 'left' : 'ended';
  }

  protected render(): void {}

  protected override exitCode(end: 'ended' | 'left'): ExitCode {
    return end === 'left' ? ExitCode.interrupted : ExitCode.ok;
  }
}

/** The device by its id, with those that it has replaced where asked for. */
async function selectPlace(client: CoordinatorClient, id: string, lineage: boolean): Promise<string> {
  const { id: own, lineage: place = [own] } = await client.device(id);
  return `L@${(lineage ? place : [own]).join(',')}`;
}

function timeWithConsumer(): FlotillaError {
  return new FlotillaError(
    'usage',
    'consumer-time',
    'a consumer knows where it is: --since and --until are not for it',
    {
      suggestion: 'flotilla event consumer reset NAME --since TIME moves its cursor',
    },
  );
}
