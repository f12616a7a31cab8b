import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { defined } from '../../src/cli/defined.ts';
import { formatSteps, initKinds, uninstallAgent, type InitKind, type Uninstalled } from '../../src/device/index.ts';

export default class Uninstall extends BaseCommand<Uninstalled> {
  static override description = `end the agent's service on this machine and remove it
What can't be made again stays: configuration, key, certificate, the log of events. With --purge it goes as well, and the user; there is no way back.

Exit codes: 0 gone, 4 a step failed and all is as before, 6 --purge was not confirmed, 8 not root.`;
  static override examples = [
    `$ sudo <%= config.bin %> <%= command.id %>
stop       service, by systemd
remove     file /etc/systemd/system/flotilla-agent.service
remove     file /usr/lib/flotilla/flotilla-agent.js
kept       folder /var/lib/flotilla  (--purge removes it)
3 changes.`,
    'sudo <%= config.bin %> <%= command.id %> --purge --yes --json',
  ];
  static override flags = {
    purge: Flags.boolean({ description: 'configuration, identity, state and user as well' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
    prefix: Flags.directory({ description: 'the root of an image', helpValue: 'DIR' }),
    init: Flags.option({ options: initKinds, description: 'instead of the one that is found' })(),
    'dry-run': Flags.boolean({ description: 'look, and change nothing' }),
  };

  protected async execute(): Promise<Uninstalled> {
    const { flags } = await this.parse(Uninstall);
    const { purge, yes, prefix } = flags;
    const init: InitKind | undefined = flags.init;
    if (purge && !flags['dry-run']) {
      const warning = "The device's key, its certificate and every event that was not sent yet will be gone.";
      await confirmTyped({ warning, answer: 'purge', yes, json: this.json });
    }
    return uninstallAgent({ purge, dryRun: flags['dry-run'], ...defined({ prefix, init }) });
  }

  protected render(done: Uninstalled): void {
    this.print(formatSteps(done));
  }
}
