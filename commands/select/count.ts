import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { fleetFlag, openSelectSource } from '../../src/cli/select/select-source.ts';
import type { SelectCount } from '../../src/client/contract/index.ts';

export default class Count extends BaseCommand<SelectCount> {
  static override description = `print how many devices a selector matches, and nothing else
Exit codes: 3 no device matches, 2 the selector is malformed.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@fw:version:<2.1.0'
17`,
  ];
  static override args = { selector: Args.string({ description: 'which devices', required: true }) };
  static override flags = { fleet: fleetFlag };

  protected async execute(): Promise<SelectCount> {
    const { args, flags } = await this.parse(Count);
    const source = await openSelectSource(flags);
    return source.count({ selector: args.selector });
  }

  protected render({ count }: SelectCount): void {
    this.print(String(count));
  }

  protected override exitCode({ count }: SelectCount): ExitCode {
    return count === 0 ? ExitCode.noneMatched : ExitCode.ok;
  }
}
