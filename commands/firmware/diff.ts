import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDefines } from '../../src/cli/define-flag.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { formatFirmwareDiff } from '../../src/cli/render/firmware-diff.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { diffFirmware, readFirmwareSource, type FirmwareDiff } from '../../src/firmware/index.ts';

export default class Diff extends BaseCommand<FirmwareDiff> {
  static override description = `explain what differs between two bundles, and whether one upgrades the other
Compares metadata, UUID, resources by size and hash, every task with its actions, and the places on the disk; configurations can be compared too. Then it judges an upgrade from the first to the second: product and platform, slots and environment where they were, a task for each slot that devices may run, room for every resource. Exit code 0 whatever differs; with --upgradable 4 unless the upgrade is possible. Needs no key and proves nothing.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway-1.0.0.fw gateway-2.0.0.fw
Metadata
  - uuid  0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11
  + uuid  c4fdd982-e737-5bdd-a446-016438174a14
  - meta-version  1.0.0
  + meta-version  2.0.0

Resources
  - rootfs.img  8.0 MiB (8388608 bytes)  2427b33895664f21…
  + rootfs.img  8.1 MiB (8493465 bytes)  91c0ab3f22d0e771…

Upgrade of a device from the first to the second
  ok    the same product: harbour-gateway
  ok    version 2.0.0 is newer than 1.0.0
  ok    slot a is where it was: blocks 4096-20479
  ok    a device that runs slot a takes upgrade.b

an upgrade is possible`,
    '<%= config.bin %> <%= command.id %> gateway-1.0.0.fw gateway-2.0.0.fw --upgradable --json',
  ];
  static override args = {
    before: Args.string({ description: 'what devices have: a bundle or a configuration', required: true }),
    after: Args.string({ description: 'what they shall get', required: true }),
  };
  static override flags = {
    upgradable: Flags.boolean({ description: 'exit with 4 unless devices with the first can take the second' }),
    define: Flags.string({
      description: 'a variable for configurations; may be given several times',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=VALUE',
    }),
  };

  #mustBeUpgradable = false;

  protected async execute(): Promise<FirmwareDiff> {
    const { args, flags } = await this.parse(Diff);
    this.#mustBeUpgradable = flags.upgradable;
    const option = { variables: { ...process.env, ...parseDefines(flags.define) } };
    return diffFirmware(await readFirmwareSource(args.before, option), await readFirmwareSource(args.after, option));
  }

  protected render(diff: FirmwareDiff): void {
    this.print(formatFirmwareDiff(diff, stdoutOption()));
  }

  protected override exitCode({ upgrade }: FirmwareDiff): ExitCode {
    return this.#mustBeUpgradable && !upgrade.possible ? ExitCode.someFailed : ExitCode.ok;
  }
}
