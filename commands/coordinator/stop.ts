import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { formatDuration } from '../../src/cli/human.ts';
import { findTarget } from '../../src/cli/find-endpoint.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { waitForExit } from '../../src/cli/process-exit.ts';
import { waitForSilence } from '../../src/cli/wait-silence.ts';
import { FlotillaError } from '../../src/error.ts';

interface Stopped {
  pid: number;
  tookMs: number;
}

export default class Stop extends BaseCommand<Stopped> {
  static override description = `stop the coordinator and wait until its process is gone
Devices are told to come back later, spread over time; what is not done yet goes on after the next start. The process is asked, never killed: when it does not end in time this says so and exits 4.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
stopped pid 4711 in 0.4s`,
    '<%= config.bin %> <%= command.id %> --timeout 2m',
  ];
  static override flags = {
    timeout: Flags.string({ description: 'how long to wait for the end', default: '30s', helpValue: 'DURATION' }),
  };

  protected async execute(): Promise<Stopped> {
    const { flags } = await this.parse(Stop);
    const timeoutSeconds = parseDuration(flags.timeout, '--timeout');
    const client = await openClient(flags);
    const isElsewhere = (await findTarget(flags)).kind === 'context';
    const startedMs = performance.now();
    const { pid } = await client.shutdown().catch((error: unknown) => {
      throw asNothingToStop(error);
    });
    const timeoutMs = timeoutSeconds * 1000;
    // The pid of another machine says nothing here: there the end is that nobody answers.
    if (!(await (isElsewhere ? waitForSilence(client, timeoutMs) : waitForExit(pid, timeoutMs)))) {
      throw new FlotillaError('failed', 'coordinator-still-running', 'the coordinator has not ended yet', {
        seen: `pid ${pid} runs ${flags.timeout} after it was asked to stop`,
        suggestion: `look into run/coordinator.log of the fleet; it drains its links and ends by itself`,
      });
    }
    return { pid, tookMs: Math.round(performance.now() - startedMs) };
  }

  protected render({ pid, tookMs }: Stopped): void {
    this.print(`stopped pid ${pid} in ${formatDuration(tookMs)}`);
  }
}

function asNothingToStop(error: unknown): unknown {
  if (!(error instanceof FlotillaError) || error.fault !== 'unreachable') return error;
  return new FlotillaError('unreachable', 'coordinator-not-running', 'no coordinator of this fleet runs', {
    ...(error.detail.seen === undefined ? {} : { seen: error.detail.seen }),
    suggestion: 'nothing is left to stop; flotilla coordinator start --detach starts one',
    cause: error,
  });
}
