import { Args } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { doorFlags } from '../../../src/cli/door-flag.ts';
import type { ExitCode } from '../../../src/cli/exit-code.ts';
import { installFile } from '../../../src/cli/install-file.ts';
import { afterInstall, formatInstallState, installExitCode } from '../../../src/device/index.ts';
import type { DeviceUpdate } from '../../../src/door/index.ts';

export default class Install extends BaseCommand<DeviceUpdate> {
  static override description = `at the device: install a bundle out of a file, from a stick for example
No coordinator is needed. What holds over the link holds here: one of update.keys has signed it, product and platform fit, the slot is written by the same steps, and it is kept only once it has proved itself; a slot that fails is left. Windows, rates and approval do not hold: somebody stands at the device. A device that had no link when the file was taken need not have one afterwards, any other must reach its coordinator again. The path is read by the agent, as its user.

How it ended is signed by the device, told to the coordinator over the link, or brought there: agent receipt. \`flotilla agent install FILE\` does the same.

Exit codes: 0 written, the machine restarts; 4 failed; 6 not taken, with the reason; 7 no agent answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> /media/usb/gateway-2.0.0.fw --config agent.yaml
2.0.0 offered
2.0.0 downloading
2.0.0 verified
2.0.0 installing
2.0.0 rebooting
the machine restarts; \`agent update status\` tells how it ends, \`agent receipt\` proves it`,
    '<%= config.bin %> <%= command.id %> /media/usb/gateway-2.0.0.fw --json',
  ];
  static override args = { file: Args.file({ description: 'the bundle, a .fw', required: true }) };
  static override flags = doorFlags;

  protected async execute(): Promise<DeviceUpdate> {
    const { args, flags } = await this.parse(Install);
    return installFile(args.file, flags, (update) => {
      if (!this.json) this.print(formatInstallState(update));
    });
  }

  protected render(update: DeviceUpdate): void {
    if (installExitCode(update) === 0) this.print(afterInstall);
  }

  protected override exitCode(update: DeviceUpdate): ExitCode {
    return installExitCode(update);
  }
}
