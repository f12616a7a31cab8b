import { Args, Flags } from '@oclif/core';
import { applyAsked } from '../../src/cli/apply-bundle.ts';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDefines } from '../../src/cli/define-flag.ts';
import { defined } from '../../src/cli/defined.ts';
import { choosePublicKeys } from '../../src/cli/firmware-key.ts';
import { formatBytes } from '../../src/cli/human.ts';
import { printable } from '../../src/cli/printable.ts';
import { parseDiskSize } from '../../src/firmware/index.ts';

interface Applied {
  destination: string;
  task: string;
  uuid: string;
  bytesWritten: number;
  dryRun: boolean;
  messages: string[];
}

export default class Apply extends BaseCommand<Applied> {
  static override description = `write a bundle to an image file or a device
Runs the first task whose title begins with --task and whose requirements hold. Signature, requirements, support for every action and the size of the disk are checked before the first write, resources while they are written; what decides the slot is written last. Without a key nothing is applied. A device with anything mounted on it is refused; what is there already is written over only with --yes or a typed confirmation. Exit code 6 for every refusal; after an error in between, the task's on-error has run.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway-2.0.0.fw --device disk.img --task complete
complete: wrote 12 MiB to disk.img`,
    `$ <%= config.bin %> <%= command.id %> gateway-2.0.0.fw -d disk.img -t upgrade --dry-run
upgrade.b would be applied to disk.img; nothing was written`,
    `$ <%= config.bin %> <%= command.id %> gateway-2.0.0.fw -d /dev/sdb -t complete --yes
Error: /dev/sdb is in use
  seen:     mounted at /media/card
  try:      unmount it first; a disk that the system runs from is updated by the agent`,
  ];
  static override args = { bundle: Args.string({ description: 'the bundle to apply', required: true }) };
  static override flags = {
    device: Flags.string({
      char: 'd',
      description: 'an image file, made if it is not there, or a block device',
      required: true,
      helpValue: 'PATH',
    }),
    task: Flags.string({ char: 't', description: "the start of a task's title", required: true, helpValue: 'NAME' }),
    key: Flags.file({
      description:
        "a public key; may be given several times, any one is enough; by default the fleet's keys/firmware.pub",
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
    }),
    define: Flags.string({
      description: 'a variable that meta.conf leaves open ("\\${NAME}"); may be given several times',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=VALUE',
    }),
    'disk-size': Flags.string({
      description: 'a hard end for an image that stands for a disk, like 4G or 8192b (blocks)',
      helpValue: 'SIZE',
    }),
    unsafe: Flags.boolean({
      default: false,
      description:
        'let the bundle run commands and write files on this machine (execute, require-execute, path_write, pipe_write, ubi_volume_write)',
    }),
    'dry-run': Flags.boolean({
      default: false,
      description: 'prove the whole bundle, choose the task, check the room, and stop before the first write',
    }),
    yes: Flags.boolean({ char: 'y', description: 'write over what is there without asking', default: false }),
  };

  protected async execute(): Promise<Applied> {
    const { args, flags } = await this.parse(Apply);
    const messages: string[] = [];
    const size = flags['disk-size'];
    const { taskName, uuid, bytesWritten } = await applyAsked({
      path: args.bundle,
      destinationPath: flags.device,
      task: flags.task,
      publicKeys: await choosePublicKeys(flags.key ?? [], flags['fleet-dir']),
      variables: { ...process.env, ...parseDefines(flags.define) },
      unsafe: flags.unsafe,
      dryRun: flags['dry-run'],
      yes: flags.yes,
      json: this.json,
      onInfo: (text) => {
        messages.push(text);
        this.note(printable(text));
      },
      ...defined({ destinationSizeBytes: size === undefined ? undefined : parseDiskSize(size) * 512 }),
    });
    return { destination: flags.device, task: taskName, uuid, bytesWritten, dryRun: flags['dry-run'], messages };
  }

  protected render({ destination, task, bytesWritten, dryRun }: Applied): void {
    if (dryRun) this.print(`${printable(task)} would be applied to ${destination}; nothing was written`);
    else this.print(`${printable(task)}: wrote ${formatBytes(bytesWritten)} to ${destination}`);
  }
}
