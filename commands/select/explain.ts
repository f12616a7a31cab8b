import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { formatExplanation } from '../../src/cli/render/select.ts';
import { fleetFlag, openSelectSource } from '../../src/cli/select/select-source.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { SelectExplanation } from '../../src/client/contract/index.ts';

export default class Explain extends BaseCommand<SelectExplanation> {
  static override description = `show a selector's tree with the count of each term; for one device, why each term holds or not`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour and not I@ring:canary' --device gw-001
✗ G@site:harbour and not I@ring:canary  (2 devices)
├─ ✓ G@site:harbour  (3 devices): site is harbour
└─ ✗ not I@ring:canary  (9 devices)
   └─ ✓ I@ring:canary  (3 devices): ring is canary`,
    `<%= config.bin %> <%= command.id %> 'gw-1* or E@relay-[0-9]+' --json`,
  ];
  static override args = { selector: Args.string({ description: 'the selector to explain', required: true }) };
  static override flags = {
    fleet: fleetFlag,
    device: Flags.string({ description: 'say for this device why each term holds or not', helpValue: 'ID' }),
  };

  protected async execute(): Promise<SelectExplanation> {
    const { args, flags } = await this.parse(Explain);
    const source = await openSelectSource(flags);
    return source.explain({ selector: args.selector, ...defined({ deviceId: flags.device }) });
  }

  protected render(explanation: SelectExplanation): void {
    this.print(formatExplanation(explanation, stdoutOption()));
  }
}
