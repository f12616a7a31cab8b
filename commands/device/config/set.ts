import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { defined } from '../../../src/cli/defined.ts';
import { ExitCode } from '../../../src/cli/exit-code.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { readSettings } from '../../../src/cli/read-settings.ts';
import { formatConfigSet } from '../../../src/cli/render/config.ts';
import { sendConfirmed } from '../../../src/cli/send-confirmed.ts';
import { stdoutOption } from '../../../src/cli/terminal.ts';
import type { ConfigSetResult } from '../../../src/client/contract/index.ts';

export default class Set extends BaseCommand<ConfigSetResult[]> {
  static override description = `set a document of settings on every device that matches
The whole document, in YAML or JSON. It reaches each device when it is connected and its agent takes settings. What a device has changed itself in other places stays as it is; where both have changed the same place nothing is sent to that device: see diff and resolve. A large part of the fleet asks for the number of devices, as run does.

Exit codes: 0 on its way to all, 2 malformed document or selector, 3 no device matched, 4 a conflict on some, 6 refused by a safety rule.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour' limits limits.yaml
gw-001: sent, version 3
gw-002: pending, version 3 (needs config.desired, which agent 0.1.0 does not announce)
gw-003: conflict, version 3 (changed on both sides: /flow/max)`,
    `$ echo '{"flow":{"max":12}}' | <%= config.bin %> <%= command.id %> gw-001 limits -`,
  ];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
    name: Args.string({ description: 'the name of the document', required: true }),
    file: Args.string({ description: 'a YAML or JSON file; - is stdin', required: true }),
  };
  static override flags = {
    max: Flags.integer({ description: 'refuse when more devices match', min: 1 }),
    expect: Flags.integer({ description: 'refuse unless exactly this many devices match', min: 0 }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask; only together with --expect' }),
    'dry-run': Flags.boolean({ description: 'say what would become of each device, change nothing' }),
  };

  protected async execute(): Promise<ConfigSetResult[]> {
    const { args, flags } = await this.parse(Set);
    const document = await readSettings(args.file);
    const { selector, name } = args;
    const client = await openClient(flags);
    const request = { selector, name, document, ...defined({ max: flags.max, dryRun: flags['dry-run'] || undefined }) };
    return sendConfirmed({
      send: (expect) => client.setConfig({ ...request, ...defined({ expect }) }),
      expect: flags.expect,
      yes: flags.yes,
      json: this.json,
    });
  }

  protected render(results: ConfigSetResult[]): void {
    this.print(formatConfigSet(results, stdoutOption()));
  }

  protected override exitCode(results: ConfigSetResult[]): ExitCode {
    return results.some(({ state }) => state === 'conflict') ? ExitCode.someFailed : ExitCode.ok;
  }
}
