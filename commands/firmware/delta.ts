import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { formatDelta } from '../../src/cli/render/firmware-delta.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { buildDeltaBundle, type DeltaBundle } from '../../src/firmware/index.ts';

export default class Delta extends BaseCommand<DeltaBundle> {
  static override description = `make the delta bundle that brings devices from one bundle to another
A delta bundle is the new bundle with VCDIFF patches in place of resources; metadata, signature and UUID stay, and a device checks what comes out as if it had come whole. A resource gets a patch where the new bundle's tasks take one (delta-source-raw-offset or delta-source-fat-path) and the old bundle says what devices have there. Each patch is tried before it is written; one that is no smaller is not used, and when none is, nothing is written (exit code 6). fwup and xdelta3 read the patches. Only devices that run the old bundle can apply the result: keep the full one for the others. Needs no key.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway-1.0.0.fw gateway-1.0.1.fw -o gateway-1.0.0-to-1.0.1.fw
RESOURCE    FULL     DELTA    FROM        NOTE
rootfs.img  8.1 MiB  212 KiB  rootfs.img
kernel.img  4.0 MiB  4.0 MiB              no task takes a delta of it (delta-source-raw-offset, or delta-source-fat-path)

1.0.0 to 1.0.1: 4.2 MiB instead of 12.1 MiB (35 %)`,
    '<%= config.bin %> <%= command.id %> gateway-1.0.0.fw gateway-1.0.1.fw -o delta.fw --json',
  ];
  static override args = {
    before: Args.string({ description: 'the bundle that devices run', required: true }),
    after: Args.string({ description: 'the bundle that they shall get', required: true }),
  };
  static override flags = {
    output: Flags.string({ char: 'o', description: 'the delta bundle', required: true, helpValue: 'FILE' }),
  };

  protected async execute(): Promise<DeltaBundle> {
    const { args, flags } = await this.parse(Delta);
    return buildDeltaBundle({ beforePath: args.before, afterPath: args.after, outputPath: flags.output });
  }

  protected render(delta: DeltaBundle): void {
    this.print(formatDelta(delta, stdoutOption()));
  }
}
