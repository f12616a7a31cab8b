import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatChanged } from '../../src/cli/render/device.ts';
import { parseTagChanges } from '../../src/cli/tag-change.ts';
import type { Changed } from '../../src/client/contract/index.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Tag extends BaseCommand<Changed> {
  static override description = `set or remove tags: what you know of devices and they don't, for selectors with I@
key=value sets, key- removes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour' ring=canary owner-
tagged 2 devices: gw-001, gw-002`,
    `<%= config.bin %> select match 'I@ring:canary'`,
  ];
  static override strict = false;
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
    change: Args.string({ description: 'key=value or key-; as many as you like', required: true }),
  };

  protected async execute(): Promise<Changed> {
    const { argv, args, flags } = await this.parse(Tag);
    const words = (argv as string[]).slice(1);
    if (words.length === 0) throw new FlotillaError('usage', 'tag-missing', 'say which tags to set or remove');
    const client = await openClient(flags);
    return client.tagDevices({ selector: args.selector, ...parseTagChanges(words) });
  }

  protected render(changed: Changed): void {
    this.print(formatChanged('tagged', changed));
  }
}
