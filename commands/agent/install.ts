import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { installFile } from '../../src/cli/install-file.ts';
import { packageRoot } from '../../src/config/package-root.ts';
import {
  afterInstall,
  formatInstallState,
  formatSteps,
  initKinds,
  installAgent,
  installExitCode,
  type InitKind,
  type Installed,
} from '../../src/device/index.ts';
import type { DeviceUpdate } from '../../src/door/index.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Install extends BaseCommand<Installed | DeviceUpdate> {
  static override description = `make the agent a service of this machine
Puts the one-file agent, a Node where none is part of the system, the configuration and the identity in place, makes a user for it, and starts a hardened unit (systemd; OpenRC, SysV, procd and BusyBox by script). Paths that the configuration names beside itself are brought along to /etc/flotilla and /var/lib/flotilla.

With a bundle (a .fw) as argument it is that firmware which is installed, by the agent that runs here: see agent update install.

Every step is looked at first: a second time nothing changes. When a step fails, or the service does not stay up, everything is as it was before.

Exit codes: 0 installed, 2 a file that can't be used, 4 a step failed, 6 this machine is another device already, 8 not root.`;
  static override examples = [
    `$ sudo <%= config.bin %> <%= command.id %> --config meter-1/agent.yaml
create     user flotilla-agent
create     folder /usr/lib/flotilla
create     file /usr/lib/flotilla/flotilla-agent.js
create     file /etc/flotilla/agent.yaml
create     file /var/lib/flotilla/identity/device.key
create     file /etc/systemd/system/flotilla-agent.service
start      service, by systemd
7 changes.`,
    '<%= config.bin %> <%= command.id %> --config meter-1/agent.yaml --dry-run --json',
    'sudo <%= config.bin %> <%= command.id %> --config /data/flotilla/agent.yaml --in-place',
    '<%= config.bin %> <%= command.id %> /media/usb/gateway-2.0.0.fw',
    '<%= config.bin %> <%= command.id %> --prefix rootfs/ --init systemd --runtime node-arm64 --config product/agent.yaml',
  ];
  static override args = {
    file: Args.file({ description: 'a bundle to install, in place of the agent itself', required: false }),
  };
  static override flags = {
    config: Flags.file({ description: 'the configuration; without it the one that is installed', helpValue: 'FILE' }),
    'in-place': Flags.boolean({ description: 'use --config where it is, and everything as it names it' }),
    runtime: Flags.file({ description: 'a Node for the agent, which is copied', helpValue: 'FILE' }),
    certificate: Flags.file({ description: 'instead of the one that the configuration names', helpValue: 'FILE' }),
    authority: Flags.file({ description: 'likewise', helpValue: 'FILE' }),
    'replace-identity': Flags.boolean({ description: 'even where this machine has another key or is another device' }),
    prefix: Flags.directory({ description: 'the root of an image; nothing is started', helpValue: 'DIR' }),
    init: Flags.option({ options: initKinds, description: 'instead of the one that is found' })(),
    'no-start': Flags.boolean({ description: 'everything but the start' }),
    'dry-run': Flags.boolean({ description: 'look, and change nothing' }),
  };

  protected async execute(): Promise<Installed | DeviceUpdate> {
    const { args, flags } = await this.parse(Install);
    if (args.file !== undefined) {
      const foreign = Object.keys(flags).find((name) => !['config', 'json', 'fleet-dir'].includes(name) && this.argv.some((word) => word.split('=')[0] === `--${name}`)); // prettier-ignore
      if (foreign !== undefined) {
        throw new FlotillaError(
          'usage',
          'install-arguments',
          `--${foreign} is for the agent's service, not for a bundle`,
          {
            expected: 'flotilla agent install FILE [--config FILE]',
          },
        );
      }
      return installFile(args.file, { config: flags.config, timeout: '30s' }, (update) => {
        if (!this.json) this.print(formatInstallState(update));
      });
    }
    const { config, runtime, certificate, authority, prefix } = flags;
    const init: InitKind | undefined = flags.init;
    return installAgent({
      agentFile: join(packageRoot(), 'agent', 'flotilla-agent.js'),
      ...defined({ config, runtime, certificate, authority, prefix, init }),
      inPlace: flags['in-place'],
      replaceIdentity: flags['replace-identity'],
      noStart: flags['no-start'],
      dryRun: flags['dry-run'],
    });
  }

  protected render(done: Installed | DeviceUpdate): void {
    if ('steps' in done) this.print(formatSteps(done));
    else if (installExitCode(done) === 0) this.print(afterInstall);
  }

  protected override exitCode(done: Installed | DeviceUpdate): ExitCode {
    return 'steps' in done ? ExitCode.ok : installExitCode(done);
  }
}
