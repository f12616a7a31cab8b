import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../src/cli/base-command.ts';
import { defined } from '../src/cli/defined.ts';
import { parseDuration } from '../src/cli/duration.ts';
import { ExitCode } from '../src/cli/exit-code.ts';
import { jobExitCode } from '../src/cli/job-exit-code.ts';
import { openClient } from '../src/cli/open-client.ts';
import { formatDryJob, formatJobSummary } from '../src/cli/render/job.ts';
import { sendConfirmed } from '../src/cli/send-confirmed.ts';
import { stdoutOption } from '../src/cli/terminal.ts';
import { waitJob } from '../src/cli/wait-job.ts';
import type { Job, JobRequest } from '../src/client/contract/index.ts';
import { FlotillaError } from '../src/error.ts';

interface Ran {
  job?: Job;
  kind: 'finished' | 'started' | 'dry-run' | 'detached';
}

export default class Run extends BaseCommand<Ran> {
  static override streams = true;
  static override usage = 'run SELECTOR [FLAGS] -- COMMAND [ARGUMENT…]';
  static override description = `run one command on every device that matches
The selector is resolved once, by the coordinator; the devices are fixed from then on. Devices that are offline get the command when they come back, until --expires. Results appear as they arrive; a dead device holds nobody up. Ctrl-C leaves the job running.

With --json each result is one line, {"kind":"result","result":{…}}, and the last line is {"kind":"job","job":{…}}.

Exit codes: 0 all succeeded, 2 malformed selector, 3 no device matched, 4 some failed, 5 some timed out, expired or are unknown, 6 refused by a safety rule, 7 no coordinator, 130 left by Ctrl-C.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour and not I@ring:canary' -- uptime
gw-002: succeeded (0.2s)
   21:30:05 up 12 days
gw-003: failed (exit 1, 0.1s)
  ! uptime: can't read /proc
job j-5k2f: 2 devices, 1 succeeded, 1 failed in 0.3s`,
    `<%= config.bin %> <%= command.id %> '*' --batch 10% --failhard --expect 120 -- systemctl restart modem`,
    `<%= config.bin %> <%= command.id %> 'gw-1*' --shell --timeout 30s -- 'df -h / | tail -1'`,
    `<%= config.bin %> <%= command.id %> 'G@site:harbour' --dry-run -- reboot`,
  ];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
  };
  static override flags = {
    batch: Flags.string({ description: 'at most this many devices at once: 50, or 10%', helpValue: 'N|N%' }),
    subset: Flags.integer({ description: 'only this many of the matched devices, drawn at random once', min: 1 }),
    failhard: Flags.boolean({
      description: 'start no more devices after the first failure',
      exclusive: ['max-failures'],
    }),
    'max-failures': Flags.integer({ description: 'start no more devices after this many failures', min: 1 }),
    timeout: Flags.string({ description: 'of the command on the device, from its start', helpValue: 'DURATION' }),
    expires: Flags.string({ description: 'how long an offline device may take to come back', helpValue: 'DURATION' }),
    shell: Flags.boolean({ description: "run one string through the device's /bin/sh -c" }),
    'max-output': Flags.integer({ description: 'bytes of output to keep for each device', min: 0, max: 1_000_000 }),
    max: Flags.integer({ description: 'refuse when more devices match', min: 1 }),
    expect: Flags.integer({ description: 'refuse unless exactly this many devices match', min: 0 }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask; only together with --expect' }),
    'dry-run': Flags.boolean({ description: 'say which devices, start nothing', exclusive: ['detach'] }),
    detach: Flags.boolean({ description: 'start the job and leave; `job wait` shows the results' }),
  };

  protected async execute(): Promise<Ran> {
    // Only what stands before -- is ours: a mistyped flag must never become part of a command on a device.
    const { before, command } = splitCommand(this.argv);
    const { args, flags } = await this.parse(Run, before);
    if (command.length === 0) throw commandMissing();
    if (flags.shell && command.length !== 1) {
      throw new FlotillaError('usage', 'shell-needs-one-string', '--shell takes the command as one string', {
        seen: `${command.length} words`,
        suggestion: `put it in quotes: -- '${command.join(' ')}'`,
      });
    }
    const request: JobRequest = {
      selector: args.selector,
      action: { kind: 'command', argv: command, ...defined({ shell: flags.shell || undefined }) },
      ...defined({
        timeoutSeconds: parseDuration(flags.timeout, '--timeout'),
        expiresSeconds: parseDuration(flags.expires, '--expires'),
        batch: flags.batch,
        maxFailures: flags.failhard ? 1 : flags['max-failures'],
        subset: flags.subset,
        maxOutputBytes: flags['max-output'],
        max: flags.max,
        dryRun: flags['dry-run'] || undefined,
      }),
    };
    const client = await openClient(flags);
    const job = await sendConfirmed({
      send: (expect) => client.startJob({ ...request, ...defined({ expect }) }),
      expect: flags.expect,
      yes: flags.yes,
      json: this.json,
    });
    if (flags['dry-run'] || flags.detach) {
      if (this.json) this.emit({ kind: 'job', job });
      return { kind: flags.detach ? 'started' : 'dry-run', job };
    }
    const finished = await waitJob(client, job, {
      json: this.json,
      emit: (row) => this.emit(row),
      print: (text) => this.print(text),
    });
    return finished === undefined ? { kind: 'detached' } : { kind: 'finished', job: finished };
  }

  protected render({ kind, job }: Ran): void {
    if (job === undefined) return;
    if (kind === 'dry-run') this.print(formatDryJob(job));
    else if (kind === 'started') this.print(`${job.id}\n`);
    else this.print(formatJobSummary(job, stdoutOption()));
  }

  protected override exitCode({ kind, job }: Ran): ExitCode {
    if (kind === 'finished' && job !== undefined) return jobExitCode(job);
    return kind === 'detached' ? ExitCode.interrupted : ExitCode.ok;
  }
}

function splitCommand(argv: readonly string[]): { before: string[]; command: string[] } {
  const end = argv.indexOf('--');
  return end < 0 ? { before: [...argv], command: [] } : { before: argv.slice(0, end), command: argv.slice(end + 1) };
}

function commandMissing(): FlotillaError {
  return new FlotillaError('usage', 'run-command-missing', 'there is no command to run', {
    expected: 'the command behind --',
    suggestion: 'flotilla run SELECTOR -- COMMAND [ARGUMENT…]',
  });
}
