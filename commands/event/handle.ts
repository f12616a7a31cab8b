import { Args, Flags } from '@oclif/core';
import { BaseCommand, asksForJson } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { eventFilterFlags, readEventFilter } from '../../src/cli/event-filter.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { handleEvents, type HandlerNote } from '../../src/cli/handle/handle-events.ts';
import { handlerVersion } from '../../src/cli/handle/handler-version.ts';
import { untilInterrupted } from '../../src/cli/interrupt.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatHandlerNote } from '../../src/cli/render/handler.ts';
import { FlotillaError } from '../../src/error.ts';

interface Ended {
  interrupted: boolean;
  deadLetters: number;
}

export default class Handle extends BaseCommand<Ended> {
  static override streams = true;
  static override strict = false;
  static override description = `run a program of your own on the events of the log, and lose none
The program gets events as lines of JSON on stdin, with the number of the attempt, and answers each with a line on stdout, in order: {"offset":N,"ok":true}, or {"offset":N,"ok":false,"error":"…","retry":true}. The coordinator keeps the cursor under NAME, and moves it when the program has answered.
A program that ends, or does not answer in time, is started again: what it had not answered is given to it one event at a time. An event that ends it three times, or that it refuses five times (once with "retry":false), becomes a dead letter and the next one is given; flotilla deadletter replay gives it again when the program is mended. An event may come twice after a crash: (deviceId, instanceId, lane, seq) names it.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> billing --type 'meter.*' -- ./bill.py
offset 9841: 100 events handled
offset 9907: the handler ended (exit code 1), attempt 3
offset 9907: dead letter 12: its handler ended 3 times with it`,
    `<%= config.bin %> <%= command.id %> billing --once -- ./bill.py`,
    `<%= config.bin %> <%= command.id %> alarms --selector 'G@site:harbour' --lane 1 --timeout 5s --json -- node alarm.js`,
  ];
  static override args = {
    name: Args.string({ description: 'the consumer whose cursor it moves', required: true }),
    command: Args.string({ description: 'your program and its arguments, after --' }),
  };
  static override flags = {
    ...eventFilterFlags,
    from: Flags.integer({ description: 'where a new consumer begins; left out: the first event', min: 1 }),
    once: Flags.boolean({ description: 'end when everything that is in the log now is handled' }),
    timeout: Flags.string({ description: 'for one event', default: '30s', helpValue: 'DURATION' }),
    backoff: Flags.string({
      description: 'between the attempts at one event; the last one holds on',
      default: '1s,5s,30s',
      helpValue: 'DURATION,…',
    }),
    'in-flight': Flags.integer({ description: 'at most so many that are given and not answered', min: 1, max: 1_000 }),
    'handler-version': Flags.string({
      description: 'for dead letters; left out: a hash of the command and of the files that it names',
    }),
  };

  protected override get json(): boolean {
    return asksForJson(this.argv);
  }

  protected async execute(): Promise<Ended> {
    const { args, flags } = await this.parse(Handle);
    const end = this.argv.indexOf('--');
    const argv = end < 0 ? [] : this.argv.slice(end + 1);
    if (argv.length === 0) {
      throw new FlotillaError('usage', 'handler-missing', 'say which program handles the events', {
        suggestion: `flotilla event handle ${args.name} -- ./handler`,
      });
    }
    const client = await openClient(flags);
    const backoff = flags.backoff.split(',').map((text) => Math.round(parseDuration(text.trim(), '--backoff') * 1000));
    const timeoutMs = Math.max(1, Math.round(parseDuration(flags.timeout, '--timeout') * 1000));
    const query = {
      ...readEventFilter(flags, Date.now()),
      ...defined({ from: flags.from, inFlight: flags['in-flight'] }),
      once: flags.once,
      version: flags['handler-version'] ?? (await handlerVersion(argv)),
      backoff: backoff.join(','),
    };
    await client.consumers(); // said at once; later a coordinator that is away is waited for
    let deadLetters = 0;
    const note = (row: HandlerNote): void => {
      if (row.kind === 'dead-letter') deadLetters += 1;
      if (this.json) this.emit(row);
      else this.note(formatHandlerNote(row));
    };
    const { interrupted } = await untilInterrupted((signal) =>
      handleEvents({ client, name: args.name, query, argv, timeoutMs, note, signal }),
    );
    return { interrupted, deadLetters };
  }

  protected render(): void {}

  protected override exitCode({ interrupted, deadLetters }: Ended): ExitCode {
    if (interrupted) return ExitCode.interrupted;
    return deadLetters > 0 ? ExitCode.someFailed : ExitCode.ok;
  }
}
