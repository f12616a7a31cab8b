import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { formatValues } from '../../src/cli/render/select.ts';
import { fleetFlag, openSelectSource } from '../../src/cli/select/select-source.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { SelectValues } from '../../src/client/contract/index.ts';

export default class Values extends BaseCommand<SelectValues> {
  static override description = `show which values a grain or a tag has, and on how many devices
G@ alone lists the grains there are, G@net the keys below net, G@net:*:speed the speeds of every interface; I@ the tags. A device with a list counts once for each of its values.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> G@site
VALUE    DEVICES
harbour      412
airport       98
2 values on 510 of 512 devices, 2 have none`,
    `<%= config.bin %> <%= command.id %> G@fw:version 'I@ring:canary' --json`,
  ];
  static override args = {
    place: Args.string({ description: 'engine and keys: G@site, G@fw:version, I@ring', required: true }),
    selector: Args.string({ description: 'only of devices that match; of all when left out' }),
  };
  static override flags = {
    fleet: fleetFlag,
    limit: Flags.integer({ description: 'how many values to show', default: 20, min: 1, max: 100_000 }),
  };

  protected async execute(): Promise<SelectValues> {
    const { args, flags } = await this.parse(Values);
    const source = await openSelectSource(flags);
    return source.values({ place: args.place, limit: flags.limit, ...defined({ selector: args.selector }) });
  }

  protected render(values: SelectValues): void {
    this.print(formatValues(values, stdoutOption()));
  }
}
