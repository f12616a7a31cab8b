import { Flags } from '@oclif/core';
import { BaseCommand } from '../src/cli/base-command.ts';
import { ExitCode } from '../src/cli/exit-code.ts';
import { untilInterrupted } from '../src/cli/interrupt.ts';
import { stdoutOption } from '../src/cli/terminal.ts';
import { maxDevices, minDevices, renderDemo, runDemo, type DemoReport } from '../src/demo/index.ts';

const interrupts = ['SIGINT', 'SIGTERM'] as const;

interface Interrupted {
  ok: false;
  interrupted: true;
}

export default class Demo extends BaseCommand<DemoReport | Interrupted> {
  static override description = `see the whole story on this machine: a fleet, its updates, a power cut, a bad release
Makes a fleet and a coordinator in a temporary folder, starts boards with real disks and real agents, runs a command, rolls out a release through two power cuts and a broken one that rolls back. Exit code 0 only if all of it was observed, 4 with the list of what was missing. Everything is stopped and removed at the end.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
…
Evidence
DEVICE  SITE     RING    BOOTS  BOOT BEFORE  AFTER     2.0.0      HEALTH  DOWNLOADED  3.0.0        SLOT  RUNS   UUID      POWER CUT
hm-01   harbour  canary      4  7f0c2a91     1b6d0e44  committed  2/2        4.0 MiB  rolled-back  b     2.0.0  0b5c1f0e  -
…
27 of 27 expectations were observed in 58s.`,
    '<%= config.bin %> <%= command.id %> --devices 4 --keep',
    '<%= config.bin %> <%= command.id %> --json > report.json',
  ];
  static override flags = {
    devices: Flags.integer({ description: 'how many boards', default: 12, min: minDevices, max: maxDevices }),
    keep: Flags.boolean({ description: 'leave the fleet, the disks and the logs; the processes end in any case' }),
  };

  protected async execute(): Promise<DemoReport | Interrupted> {
    const { flags } = await this.parse(Demo);
    const hangUp = () => process.kill(process.pid, 'SIGTERM'); // a terminal that closes is an interrupt
    process.once('SIGHUP', hangUp);
    // execa ends this process at a signal that nobody else listens to; the demo has to clean up first.
    const hold = () => undefined;
    for (const name of interrupts) process.on(name, hold);
    try {
      const ended = await untilInterrupted((signal) =>
        runDemo({ deviceCount: flags.devices, keep: flags.keep, silent: this.json, signal }),
      );
      return ended.interrupted ? { ok: false, interrupted: true } : ended.value;
    } finally {
      process.removeListener('SIGHUP', hangUp);
      for (const name of interrupts) process.removeListener(name, hold);
    }
  }

  protected render(report: DemoReport | Interrupted): void {
    if ('interrupted' in report) this.note('interrupted; everything was stopped');
    else this.print(renderDemo(report, stdoutOption()));
  }

  protected override exitCode(report: DemoReport | Interrupted): ExitCode {
    if ('interrupted' in report) return ExitCode.interrupted;
    return report.ok ? ExitCode.ok : ExitCode.someFailed;
  }
}
