import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { fleetFlag, openSelectSource } from '../../src/cli/select/select-source.ts';
import type { SelectCompletion } from '../../src/client/contract/index.ts';

/** Longer than this nobody waits for a key. */
const patienceMs = 1_000;

export default class Complete extends BaseCommand<SelectCompletion> {
  static override hidden = true;
  static override description = `say how a selector that is being typed may go on, one whole text a line
For the scripts of \`flotilla completion\`, which hide its errors.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:fra and I@r'
G@site:fra and I@ring:`,
  ];
  static override args = {
    text: Args.string({ description: 'what was typed so far', default: '' }),
  };

  static override flags = { fleet: fleetFlag };

  protected async execute(): Promise<SelectCompletion> {
    const { args, flags } = await this.parse(Complete);
    const source = await openSelectSource(flags);
    return source.complete(args.text, AbortSignal.timeout(patienceMs));
  }

  protected render({ candidates }: SelectCompletion): void {
    if (candidates.length > 0) this.print(candidates.join('\n'));
  }
}
