import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { parseJson } from '../../src/cli/event-input.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { followReply } from '../../src/cli/follow-reply.ts';
import { untilInterrupted } from '../../src/cli/interrupt.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readStdin } from '../../src/cli/read-stdin.ts';
import { formatReply } from '../../src/cli/render/reply.ts';
import type { RequestReply, SentRequest } from '../../src/client/contract/index.ts';

interface Sent extends SentRequest {
  /** With --wait. */
  reply?: RequestReply;
  /** Left by Ctrl-C. */
  left?: true;
}

export default class Send extends BaseCommand<Sent> {
  static override description = `ask a program on one device to do something
The request is kept until the device has it; the device gives it to one program that has declared the type at its door (docs/guide/door.md), and tells what came of it. It is never run for ever: after --expires it ends as expired when no program had it, else as unknown.

With --wait the command stays for the reply. Exit codes: 0 done (without --wait: stored), 4 failed, 5 expired or unknown, 6 the device is not accepted, 130 left by Ctrl-C; the request goes on.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001 valve.Close v-1 '{"slow":true}' --expires 5m --wait
done: {"turned":90}`,
    `$ <%= config.bin %> <%= command.id %> gw-001 meter.Calibrate '' null
q-1kf3v2h8-9ab3`,
    `<%= config.bin %> <%= command.id %> gw-001 screen.Show '' - --json < notice.json`,
  ];
  static override args = {
    device: Args.string({ description: 'the id of the device', required: true }),
    type: Args.string({
      description: 'the type of the request, such as valve.Close',
      required: true,
    }),
    key: Args.string({
      description: "what it is about within the type; '' when there is but one",
      required: true,
    }),
    value: Args.string({
      description: "its value, JSON; '-' reads it from standard input",
      required: true,
    }),
  };
  static override flags = {
    expires: Flags.string({ description: 'how long until an answer comes too late', helpValue: 'DURATION' }),
    wait: Flags.boolean({ description: 'stay until the device has told what came of it' }),
  };

  protected async execute(): Promise<Sent> {
    const { args, flags } = await this.parse(Send);
    const { device, type, key, value } = args;
    const body = {
      type,
      key,
      value: parseJson(value === '-' ? await readStdin() : value, 'the value'),
      ...defined({ expiresSeconds: parseDuration(flags.expires, '--expires') }),
    };
    const client = await openClient(flags);
    const sent = await client.sendRequest(device, body);
    if (!flags.wait) return sent;
    const ended = await untilInterrupted((signal) => followReply(client, sent, signal));
    if (!ended.interrupted) return { ...sent, reply: ended.value };
    process.stderr.write(`\nthe request goes on; its reply will be in the log: flotilla event tail --type '*.reply'\n`);
    return { ...sent, left: true };
  }

  protected render({ requestId, reply }: Sent): void {
    this.print(reply === undefined ? requestId : formatReply(reply));
  }

  protected override exitCode({ reply, left }: Sent): ExitCode {
    if (left) return ExitCode.interrupted;
    if (reply === undefined || reply.outcome === 'done') return ExitCode.ok;
    return reply.outcome === 'failed' ? ExitCode.someFailed : ExitCode.someUndecided;
  }
}
