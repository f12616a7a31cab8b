import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { doorFlags } from '../../src/cli/door-flag.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { parseJson } from '../../src/cli/event-input.ts';
import { openAgentDoor } from '../../src/cli/open-door.ts';
import { publishLines } from '../../src/cli/publish-lines.ts';
import { readStdin } from '../../src/cli/read-stdin.ts';
import type { Published } from '../../src/door/index.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Publish extends BaseCommand<Published | undefined> {
  static override description = `write an event into the log of this device
It is on disk when the command ends with 0, and from then on it reaches the coordinator exactly once. The type is the product's own; how it travels stands in events.types of agent.yaml. While the agent is busy or its log is full, the command tries again until --timeout.

With --lines, standard input is NDJSON, one event a line: {"type": …, "key": …, "value": …}. Lines are stored in their order, each is told once it is on disk, and the first that is refused ends the command.

Exit codes: 0 on disk, 2 a value that is not JSON or does not fit its schema, 4 refused to the end (busy, full), 5 no answer in time (it may be stored or not), 7 no agent answers, 8 no permission on the socket.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> meter.Reading m-17 '{"voltage":231.8,"power":410}' --config agent.yaml
lane 3 seq 1042`,
    `$ <%= config.bin %> <%= command.id %> door.Opened front '"by key"' --socket /run/flotilla/door.sock --json
{"lane":1,"seq":7}`,
    `read-meter | <%= config.bin %> <%= command.id %> meter.Reading m-17 -`,
    `tail -f readings.ndjson | <%= config.bin %> <%= command.id %> --lines --json`,
  ];
  static override args = {
    type: Args.string({ description: 'the type of the event, such as meter.Reading' }),
    key: Args.string({ description: "what it is about within the type; '' when there is but one" }),
    value: Args.string({ description: "its value, JSON; '-' reads it from standard input" }),
  };
  static override flags = {
    ...doorFlags,
    lines: Flags.boolean({ description: 'publish NDJSON lines from standard input' }),
  };

  protected override get streaming(): boolean {
    return this.argv.includes('--lines');
  }

  protected async execute(): Promise<Published | undefined> {
    const { args, flags } = await this.parse(Publish);
    const { type, key, value } = args;
    const patienceMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    const door = { config: flags.config, socket: flags.socket };
    if (flags.lines) {
      if (type !== undefined) throw misused('--lines takes no arguments', 'the events on standard input');
      await using client = await openAgentDoor(door, patienceMs);
      await publishLines(client, process.stdin, {
        patienceMs,
        onStored: (line, one) => (this.json ? this.emit({ line, ...one }) : this.print(formatPublished(one))),
      });
      return undefined;
    }
    if (type === undefined || key === undefined || value === undefined) {
      throw misused('an event has a type, a key and a value', 'agent publish TYPE KEY JSON');
    }
    const event = { type, key, value: parseJson(value === '-' ? await readStdin() : value, 'the value') };
    await using client = await openAgentDoor(door, patienceMs);
    return await client.publish(event, { patienceMs });
  }

  protected render(published: Published | undefined): void {
    if (published !== undefined) this.print(formatPublished(published));
  }
}

function formatPublished({ lane, seq }: Published): string {
  return `lane ${lane} seq ${seq}`;
}

function misused(message: string, expected: string): FlotillaError {
  return new FlotillaError('usage', 'publish-arguments', message, {
    expected,
    suggestion: 'see the command with --help',
  });
}
