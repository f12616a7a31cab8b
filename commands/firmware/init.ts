import { dirname, join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { FlotillaError } from '../../src/error.ts';
import { boardStarter, ciStarter, ciSystems, firmwareBoards, type CiSystem, type FirmwareBoard, type StarterFile } from '../../src/provision/firmware-template.ts'; // prettier-ignore

interface InitData {
  dir: string;
  files: { path: string; what: string }[];
  /** What to do next, in order. */
  next: string[];
}

export default class Init extends BaseCommand<InitData> {
  static override description = `begin a firmware project: a fwup.conf for a kind of board, a pipeline that releases from a tag
The configurations are commented, pass \`firmware lint\` and build with the builtin engine: raspberry-pi (MBR, a FAT for each slot, switched by autoboot.txt), x86-gpt (UEFI and GRUB, switched by slot.cfg), uboot-ab (an environment in two copies; what the agent's updater drives). The pipelines take the signing key from the CI's secret store. Nothing is ever overwritten.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway --board uboot-ab --ci github
gateway/fwup.conf                                layout, resources and tasks
gateway/.github/workflows/firmware-release.yml   runs the script for every tag v1.2.3
gateway/ci/release-firmware.sh                   builds, signs, verifies and publishes the tag that is checked out

Next:
  set meta-product, meta-platform and the offsets in gateway/fwup.conf to your board's
  …`,
    '<%= config.bin %> <%= command.id %> --ci shell --json',
  ];
  static override args = {
    dir: Args.directory({ description: 'folder of the project; made when it does not exist', default: '.' }),
  };
  static override flags = {
    board: Flags.option({ description: 'the kind of board', options: firmwareBoards })(),
    ci: Flags.option({ description: 'the pipeline', options: ciSystems })(),
  };

  protected async execute(): Promise<InitData> {
    const { args, flags } = await this.parse(Init);
    const { board, ci } = flags;
    if (board === undefined && ci === undefined) {
      throw new FlotillaError('usage', 'firmware-init-nothing', 'nothing to begin with was asked for', {
        expected: `--board ${firmwareBoards.join('|')}, --ci ${ciSystems.join('|')}, or both`,
      });
    }
    const starters: StarterFile[] = [
      ...(board === undefined ? [] : await boardStarter(board)),
      ...(ci === undefined ? [] : await ciStarter(ci)),
    ];
    await using places = new NewFiles();
    for (const { path } of starters) {
      await places.folder(dirname(join(args.dir, path)));
      await places.reserve(join(args.dir, path), path.endsWith('.sh') ? 0o755 : 0o644);
    }
    for (const { path, text } of starters) await places.fill(join(args.dir, path), text);
    places.keep();
    return {
      dir: args.dir,
      files: starters.map(({ path, what }) => ({ path: join(args.dir, path), what })),
      next: [...(board === undefined ? [] : boardSteps(args.dir, board)), ...(ci === undefined ? [] : ciSteps(ci))],
    };
  }

  protected render({ files, next }: InitData): void {
    const width = Math.max(...files.map(({ path }) => path.length));
    for (const { path, what } of files) this.print(`${path.padEnd(width)}   ${what}`);
    this.print(`\nNext:\n${next.map((step) => `  ${step}`).join('\n')}`);
  }
}

function boardSteps(dir: string, board: FirmwareBoard): string[] {
  const config = join(dir, 'fwup.conf');
  const inputs: Record<FirmwareBoard, string> = {
    'raspberry-pi': 'boot/ (firmware files, kernel, device tree) and rootfs.squashfs',
    'x86-gpt': 'BOOTX64.EFI and rootfs.squashfs (with the kernel in /boot)',
    'uboot-ab': 'u-boot.bin and rootfs.squashfs (with the kernel in /boot)',
  };
  return [
    `set meta-product, meta-platform and the offsets in ${config} to your board's`,
    `put beside it: ${inputs[board]}`,
    `flotilla firmware inspect ${config}`,
    `flotilla firmware lint ${config}`,
    `flotilla firmware build -f ${config} -o firmware.fw --define VERSION=0.1.0`,
  ];
}

function ciSteps(ci: CiSystem): string[] {
  const store = { github: "the repository's environment `firmware`", gitlab: 'CI/CD variables (protected, masked)', shell: 'the environment of whoever runs the script' }[ci]; // prettier-ignore
  const pin = ci === 'shell' ? [] : ['make flotilla a devDependency, and commit package-lock.json: it pins by hash what sees the signing key']; // prettier-ignore
  return [
    ...pin,
    `put the text of firmware.priv into ${store} as FIRMWARE_SIGNING_KEY, that of firmware.pub as FIRMWARE_PUBLIC_KEY`,
    'say where the coordinator is: FLEET_SSH and FLEET_SOCKET, or FLOTILLA_FLEET_DIR on its own machine; see ci/release-firmware.sh', // prettier-ignore
    'build the images in ci/build-images.sh, if they are not in the repository',
    ci === 'shell' ? 'git tag v0.1.0 && sh ci/release-firmware.sh' : 'git tag v0.1.0 && git push origin v0.1.0',
  ];
}
