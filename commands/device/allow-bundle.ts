import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatAllowedBundle } from '../../src/cli/render/device.ts';
import type { BundleAllowed } from '../../src/client/contract/index.ts';

export default class AllowBundle extends BaseCommand<BundleAllowed> {
  static override description = `let devices take a bundle again that they have reverted
A device that went back from a bundle is not offered it again, and refuses it by itself, until this is said. It clears both lists: the coordinator's at once, the device's own when it is connected, by an order that waits for it up to 90 days. Nothing is installed by it: start a rollout. What stands here of a device as such is \`device quarantine\` and \`device accept\`, another matter.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001 harbour-gateway/2.0.0
gw-001: may take it again; the device is told
bundle 7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11`,
    "<%= config.bin %> <%= command.id %> 'G@site:harbour' 7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11 --json",
  ];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
    bundle: Args.string({
      description: "a bundle's UUID, or product/version/channel of a release; product/version means the stable channel",
      required: true,
    }),
  };

  protected async execute(): Promise<BundleAllowed> {
    const { args, flags } = await this.parse(AllowBundle);
    const client = await openClient(flags);
    return client.allowBundle({ selector: args.selector, bundle: args.bundle });
  }

  protected render(allowed: BundleAllowed): void {
    this.print(formatAllowedBundle(allowed));
  }
}
