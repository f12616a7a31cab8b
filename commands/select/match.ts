import { createReadStream } from 'node:fs';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { formatExpressionRow, formatMatch } from '../../src/cli/render/select.ts';
import { matchExpressions } from '../../src/cli/select/match-expressions.ts';
import { fleetFlag, openSelectSource } from '../../src/cli/select/select-source.ts';
import type { SelectMatch } from '../../src/client/contract/index.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Match extends BaseCommand<SelectMatch | undefined> {
  static override description = `list the devices that a selector matches, by the very code that run and rollout use
Exit codes: 3 no device matches, 2 the selector is malformed.
With --expressions each line is a selector, and its row is written before the next one is read; with --json a row is {"expr","ids"} or {"expr","error":{"code","message","position"}}. Then the exit code is 2 when any of them was malformed, and otherwise 0: a row tells whether its selector matches.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour and not I@ring:canary'
gw-002
gw-003
2 devices`,
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour and'
Error: 1:19: nothing to select after and
    G@site:harbour and
                      ^`,
    `<%= config.bin %> <%= command.id %> --fleet fleet.json --expressions selectors.txt --json`,
  ];
  static override args = { selector: Args.string({ description: 'the selector to try' }) };
  static override flags = {
    fleet: fleetFlag,
    expressions: Flags.string({
      description: 'try the selectors of a file, one a line; - is standard input',
      helpValue: 'FILE',
    }),
  };

  #isStream = false;
  #malformed = 0;

  protected override get streaming(): boolean {
    return this.#isStream;
  }

  protected async execute(): Promise<SelectMatch | undefined> {
    const { args, flags } = await this.parse(Match);
    const { expressions } = flags;
    if ((args.selector === undefined) === (expressions === undefined)) {
      throw new FlotillaError('usage', 'select-what', 'one selector, or --expressions, and not both');
    }
    if (flags.fleet === '-' && expressions === '-') {
      throw new FlotillaError('usage', 'stdin-twice', 'fleet and expressions cannot both be standard input');
    }
    const source = await openSelectSource(flags);
    if (args.selector !== undefined) return source.match({ selector: args.selector });
    this.#isStream = true;
    const input = expressions === undefined || expressions === '-' ? process.stdin : createReadStream(expressions);
    const format = this.json ? JSON.stringify : formatExpressionRow;
    this.#malformed = await matchExpressions(source, input, process.stdout, format);
    return undefined;
  }

  protected render(match: SelectMatch | undefined): void {
    if (match !== undefined) this.print(formatMatch(match));
  }

  protected override exitCode(match: SelectMatch | undefined): ExitCode {
    if (match === undefined) return this.#malformed > 0 ? ExitCode.usage : ExitCode.ok;
    return match.count === 0 ? ExitCode.noneMatched : ExitCode.ok;
  }
}
