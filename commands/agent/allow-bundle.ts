import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { doorFlags } from '../../src/cli/door-flag.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { openAgentDoor } from '../../src/cli/open-door.ts';
import { printable } from '../../src/cli/printable.ts';

interface Allowed {
  bundleUuid: string;
  wasReverted: boolean;
}

export default class AllowBundle extends BaseCommand<Allowed> {
  static override description = `at the device: let it take a bundle again that it has reverted
For a device that the coordinator can't reach, or somebody who stands before it. The coordinator is told, and strikes the bundle off its list too. \`agent status\` lists what this device does not take.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11
this device may take bundle 7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11 again`,
    '<%= config.bin %> <%= command.id %> 7f3c1a52-09be-5d1c-8a51-2d7c5b0f3b11 --config /etc/flotilla/agent.yaml --json',
  ];
  static override args = { bundle: Args.string({ description: "the bundle's UUID", required: true }) };
  static override flags = { ...doorFlags };

  protected async execute(): Promise<Allowed> {
    const { args, flags } = await this.parse(AllowBundle);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    const bundleUuid = args.bundle.toLowerCase();
    return { bundleUuid, wasReverted: await client.allowBundle(bundleUuid) };
  }

  protected render({ bundleUuid, wasReverted }: Allowed): void {
    const said = wasReverted ? 'this device may take' : 'this device never went back from';
    this.print(`${said} bundle ${printable(bundleUuid)}${wasReverted ? ' again' : ''}`);
  }
}
