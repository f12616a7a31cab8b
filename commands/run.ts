import { Args, Flags } from '@oclif/core';
import { basename } from 'node:path';
import { JobCommand, jobExitCodes, type Ran } from '../src/cli/job-command.ts';
import { followFlags, holdFlags, jobFlags, readHold } from '../src/cli/job-flag.ts';
import { openClient } from '../src/cli/open-client.ts';
import { describeContent, uploadContent } from '../src/cli/upload-content.ts';
import type { JobAction } from '../src/client/contract/index.ts';
import type { CoordinatorClient } from '../src/client/coordinator-client.ts';
import { FlotillaError } from '../src/error.ts';

interface RunFlags {
  shell: boolean;
  script?: string | undefined;
  'dry-run': boolean;
}

export default class Run extends JobCommand {
  static override usage = 'run SELECTOR [FLAGS] -- COMMAND [ARGUMENT…]';
  static override description = `run one command or script on every device that matches
The selector is resolved once, by the coordinator; the devices are fixed from then on. Devices that are offline get the command when they come back, until --expires. Results appear as they arrive; a dead device holds nobody up. Ctrl-C leaves the job running.

In an argument {{id}}, {{tag:NAME}} and {{GRAIN}} (also {{net.ip}}) stand for what the coordinator knows of each device when the job starts; the value stays within its argument, with --shell it is one word. A device without that value is rejected. {{{{ means two braces.

With --script the file is sent to each device once, by its SHA-256, and run by its #! line; what stands behind -- are its arguments.

With --for and --then each device runs the second command by itself when the time is over, also when the link, the coordinator or the power was lost meanwhile. --ramp spreads the starts; a device that has its place starts by itself.

With --follow each device's lines are shown as they come, behind its id; it is a view: what is left out on a slow link is said, and comes with the result.

With --json each result is one line, {"kind":"result","result":{…}}, and the last line is {"kind":"job","job":{…}}; with --follow {"kind":"output","output":{…}} in between.

${jobExitCodes}`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour and not I@ring:canary' -- uptime
gw-002: succeeded (0.2s)
   21:30:05 up 12 days
gw-003: failed (exit 1, 0.1s)
  ! uptime: can't read /proc
job j-5k2f: 2 devices, 1 succeeded, 1 failed in 0.3s`,
    `<%= config.bin %> <%= command.id %> '*' --batch 10% --failhard --expect 120 -- systemctl restart modem`,
    `<%= config.bin %> <%= command.id %> 'gw-1*' --shell --timeout 30s -- 'df -h / | tail -1'`,
    `<%= config.bin %> <%= command.id %> 'G@site:harbour' --dry-run -- logger 'site {{site}}'`,
    `<%= config.bin %> <%= command.id %> 'I@load:heat' --ramp 10m --for 30m --then 'relay on' -- relay off`,
    `$ <%= config.bin %> <%= command.id %> 'gw-00*' --follow -- opkg upgrade modem
gw-002 | Downloading modem 1.4.2
gw-003 | Downloading modem 1.4.2
gw-003 ! wget: no route to host
gw-003: failed (exit 1, 0.4s)`,
    `<%= config.bin %> <%= command.id %> '*' --script check.sh -- --verbose`,
  ];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
  };
  static override flags = {
    ...jobFlags,
    ...followFlags,
    ...holdFlags,
    shell: Flags.boolean({ description: "run one string through the device's /bin/sh -c", exclusive: ['script'] }),
    script: Flags.string({ description: 'send this file and run it; arguments behind --', helpValue: 'FILE' }),
    'max-output': Flags.integer({ description: 'bytes of output to keep for each device', min: 0, max: 1_000_000 }),
  };

  protected async execute(): Promise<Ran> {
    // Only what stands before -- is ours: a mistyped flag must never become part of a command on a device.
    const { before, command } = splitCommand(this.argv);
    const { args, flags } = await this.parse(Run, before);
    if (flags.script === undefined) requireCommand(command, flags.shell);
    const hold = readHold(flags, flags.shell);
    const client = await openClient(flags);
    return this.start(client, flags, {
      selector: args.selector,
      action: await actionOf(client, command, flags),
      hold,
      maxOutputBytes: flags['max-output'],
      follow: flags.follow,
    });
  }
}

async function actionOf(client: CoordinatorClient, command: string[], flags: RunFlags): Promise<JobAction> {
  const { shell, script } = flags;
  if (script === undefined) return { kind: 'command', argv: command, ...(shell ? { shell } : {}) };
  const content = flags['dry-run'] ? await describeContent(script) : await uploadContent(client, script);
  return { kind: 'script', name: basename(script), content, args: command };
}

function splitCommand(argv: readonly string[]): { before: string[]; command: string[] } {
  const end = argv.indexOf('--');
  return end < 0 ? { before: [...argv], command: [] } : { before: argv.slice(0, end), command: argv.slice(end + 1) };
}

function requireCommand(command: readonly string[], shell: boolean): void {
  if (command.length === 0) {
    throw new FlotillaError('usage', 'run-command-missing', 'there is no command to run', {
      expected: 'the command behind --',
      suggestion: 'flotilla run SELECTOR -- COMMAND [ARGUMENT…]',
    });
  }
  if (!shell || command.length === 1) return;
  throw new FlotillaError('usage', 'shell-needs-one-string', '--shell takes the command as one string', {
    seen: `${command.length} words`,
    suggestion: `put it in quotes: -- '${command.join(' ')}'`,
  });
}
