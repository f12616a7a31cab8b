import { join } from 'node:path';
import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { becomeEntryPoint, findEntryPoint } from '../../src/cli/entry-point.ts';
import { startDetached } from '../../src/cli/start-detached.ts';
import { loadCoordinatorConfig } from '../../src/config/coordinator-config.ts';
import { findFleetDir } from '../../src/config/fleet-dir.ts';
import { fleetLayout } from '../../src/config/fleet-layout.ts';

interface Started {
  pid: number;
  port: number;
  /** Absent: no recovery. */
  recoveryPort?: number;
  socket: string;
  log: string;
}

export default class Start extends BaseCommand<Started> {
  static override description = `start the coordinator: the process that devices connect to
In the foreground it logs to stderr and stops in order on SIGTERM or Ctrl-C: right for systemd. With --detach it goes to the background, logs to run/coordinator.log of the fleet, and this command waits until it answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --detach
coordinator runs: pid 4711, port 7443
log:  /srv/harbour/run/coordinator.log
stop: flotilla coordinator stop`,
    '<%= config.bin %> <%= command.id %> --fleet-dir /srv/harbour',
  ];
  static override flags = {
    detach: Flags.boolean({ description: 'go to the background; return when it answers' }),
    timeout: Flags.string({
      description: 'how long to wait for the first answer, with --detach',
      default: '30s',
      helpValue: 'DURATION',
    }),
  };

  protected async execute(): Promise<Started> {
    const { flags } = await this.parse(Start);
    const directory = await findFleetDir(flags['fleet-dir']);
    const { run, config } = fleetLayout(directory);
    await loadCoordinatorConfig(config); // a mistake in the file is told here, not by way of the log
    // A detached one reports through its log: the error as a document.
    const json = flags.detach || this.json ? ['--json'] : [];
    const entry = findEntryPoint(this.config.root, 'coordinator', ['--fleet-dir', directory, ...json]);
    if (!flags.detach) return becomeEntryPoint(entry);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1000;
    const log = join(run, 'coordinator.log');
    const { pid, port, recoveryPort, socket } = await startDetached({ entry, logPath: log, timeoutMs });
    return { pid, port, ...(recoveryPort === undefined ? {} : { recoveryPort }), socket, log };
  }

  protected render({ pid, port, log }: Started): void {
    this.print(`coordinator runs: pid ${pid}, port ${port}\nlog:  ${log}\nstop: flotilla coordinator stop`);
  }
}
