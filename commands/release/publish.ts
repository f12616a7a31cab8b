import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRelease } from '../../src/cli/render/release.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Release } from '../../src/client/contract/index.ts';

export default class Publish extends BaseCommand<Release> {
  static override description = `publish a signed bundle, so that rollouts can name it
The coordinator verifies the signature against the fleet's keys before it stores anything; a bundle without a good signature is refused.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> harbour-gateway-2.0.0.fw
release:    harbour-gateway/2.0.0/stable
platform:   virtual
bundle:     0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11
size:       12 MiB (12582912 bytes, parts of 256 KiB)
sha256:     4f5d…
published:  2026-11-22 21:30:05Z by root`,
    '<%= config.bin %> <%= command.id %> gateway.fw --channel beta --json',
  ];
  static override args = { bundle: Args.file({ description: 'the .fw file', required: true }) };
  static override flags = {
    channel: Flags.string({ description: 'the channel to publish in', default: 'stable', helpValue: 'NAME' }),
  };

  protected async execute(): Promise<Release> {
    const { args, flags } = await this.parse(Publish);
    const client = await openClient(flags);
    return client.publish(args.bundle, { channel: flags.channel });
  }

  protected render(release: Release): void {
    this.print(formatRelease(release, stdoutOption()));
  }
}
