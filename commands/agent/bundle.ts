import { join } from 'node:path';
import { Flags } from '@oclif/core';
import { buildAgentBundle } from '../../src/cli/agent-bundle.ts';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { choosePrivateKey } from '../../src/cli/firmware-key.ts';
import { formatBundle } from '../../src/cli/render/bundle.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { packageRoot } from '../../src/config/package-root.ts';
import type { BundleSummary } from '../../src/firmware/index.ts';

export default class Bundle extends BaseCommand<BundleSummary> {
  static override description = `make a signed bundle of the agent itself, for \`device update-agent\`
It holds the one-file agent of this very version of Flotilla. Publish it like any other bundle: \`release publish\`; its product is flotilla-agent.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %> -o flotilla-agent.fw',
    '<%= config.bin %> <%= command.id %> -o flotilla-agent.fw --key release.priv --json',
  ];
  static override flags = {
    output: Flags.string({ char: 'o', description: 'the bundle to write', required: true, helpValue: 'FILE' }),
    key: Flags.file({
      description: "the private key to sign with; by default the fleet's keys/firmware.priv",
      helpValue: 'FILE',
    }),
    'source-date-epoch': Flags.integer({
      description: "the bundle's date in seconds since 1970, for reproducible builds; by default now",
      env: 'SOURCE_DATE_EPOCH',
      min: 0,
      max: 0xffff_ffff,
    }),
  };

  #signature = '';

  protected async execute(): Promise<BundleSummary> {
    const { flags } = await this.parse(Bundle);
    const privateKeyPath = await choosePrivateKey(flags.key, flags['fleet-dir']);
    this.#signature = `signed with ${privateKeyPath}`;
    return buildAgentBundle({
      agentFile: join(packageRoot(), 'agent', 'flotilla-agent.js'),
      version: this.config.version,
      outputPath: flags.output,
      privateKeyPath,
      ...defined({ sourceDateEpochSeconds: flags['source-date-epoch'] }),
    });
  }

  protected render(bundle: BundleSummary): void {
    this.print(formatBundle(bundle, this.#signature, stdoutOption()));
  }
}
