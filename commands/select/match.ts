import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatMatch } from '../../src/cli/render/select.ts';
import type { SelectMatch } from '../../src/client/contract/index.ts';

export default class Match extends BaseCommand<SelectMatch> {
  static override description = `list the devices that a selector matches, by the very code that run and rollout use
Exit code 3 when no device matches, 2 when the selector is malformed.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour and not I@ring:canary'
gw-002
gw-003
2 devices`,
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour and'
Error: 1:19: a term is missing
    G@site:harbour and
                      ^`,
  ];
  static override args = { selector: Args.string({ description: 'the selector to try', required: true }) };

  protected async execute(): Promise<SelectMatch> {
    const { args, flags } = await this.parse(Match);
    const client = await openClient(flags);
    return client.match({ selector: args.selector });
  }

  protected render(match: SelectMatch): void {
    this.print(formatMatch(match));
  }

  protected override exitCode({ count }: SelectMatch): ExitCode {
    return count === 0 ? ExitCode.noneMatched : ExitCode.ok;
  }
}
