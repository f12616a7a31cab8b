import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRelease } from '../../src/cli/render/release.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Release } from '../../src/client/contract/index.ts';

export default class Show extends BaseCommand<Release> {
  static override description = 'show one release: its bundle, digests and resources';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> harbour-gateway/2.0.0/stable
release:    harbour-gateway/2.0.0/stable
bundle:     0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11
size:       12 MiB (12582912 bytes, parts of 256 KiB)

RESOURCE    SIZE  BLAKE2B-256
rootfs.img  12 MiB  9a41…`,
    '<%= config.bin %> <%= command.id %> harbour-gateway/2.0.0/stable --json',
  ];
  static override args = {
    release: Args.string({ description: 'product/version/channel', required: true }),
  };

  protected async execute(): Promise<Release> {
    const { args, flags } = await this.parse(Show);
    const client = await openClient(flags);
    return client.release(args.release);
  }

  protected render(release: Release): void {
    this.print(formatRelease(release, stdoutOption()));
  }
}
