import type { Hold, Job, JobAction, JobRequest } from '../client/contract/index.ts';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { BaseCommand } from './base-command.ts';
import { defined } from './defined.ts';
import { ExitCode } from './exit-code.ts';
import { jobExitCode } from './job-exit-code.ts';
import { jobTerms, type JobFlagValues } from './job-flag.ts';
import { formatDryJob, formatJobSummary } from './render/job.ts';
import { sendConfirmed } from './send-confirmed.ts';
import { stdoutOption } from './terminal.ts';
import { waitJob } from './wait-job.ts';

export interface Ran {
  job?: Job;
  kind: 'finished' | 'started' | 'dry-run' | 'detached';
}

/** What a job does, for `JobCommand.start`. */
export interface JobWork {
  selector: string;
  action: JobAction;
  hold?: Hold | undefined;
  maxOutputBytes?: number | undefined;
  /** Devices tell their output as it comes. */
  follow?: boolean;
}

export const jobExitCodes =
  'Exit codes: 0 all succeeded, 2 malformed selector, 3 no device matched, 4 some failed, 5 some timed out, expired or are unknown, 6 refused by a safety rule, 7 no coordinator, 130 left by Ctrl-C.';

/** A command that starts one job and stays for its results; all of them take the same flags and end in the same way. */
export abstract class JobCommand extends BaseCommand<Ran> {
  static override streams = true;

  protected async start(client: CoordinatorClient, flags: JobFlagValues, work: JobWork): Promise<Ran> {
    const { selector, action, hold, maxOutputBytes, follow = false } = work;
    const request: JobRequest = {
      selector,
      action,
      ...jobTerms(flags),
      ...defined({ hold, maxOutputBytes, follow: follow || undefined }),
    };
    const send = (expect?: number) => client.startJob({ ...request, ...defined({ expect }) });
    return this.stay(client, { ...flags, follow }, send);
  }

  /** Asks for the job, with a confirmation where one is due, and stays for its results where it is to. */
  protected async stay(
    client: CoordinatorClient,
    flags: Pick<JobFlagValues, 'expect' | 'yes' | 'dry-run' | 'detach'> & { follow?: boolean },
    send: (expect: number | undefined) => Promise<Job>,
  ): Promise<Ran> {
    const job = await sendConfirmed({
      send,
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
      follow: flags.follow ?? false,
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
