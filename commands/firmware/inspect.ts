import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { formatBundle } from '../../src/cli/render/bundle.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { engines, inspectBundle, type BundleSummary } from '../../src/firmware/index.ts';

export default class Inspect extends BaseCommand<BundleSummary> {
  static override description = `show what a bundle says about itself
Needs no key and proves nothing; \`firmware verify\` does.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway-2.0.0.fw
product:    harbour-gateway 2.0.0
platform:   virtual
created:    2026-11-22T21:30:05Z
uuid:       0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11
signature:  there, not checked
tasks:      complete, upgrade.a, upgrade.b
size:       12 MiB (12582912 bytes)
sha256:     4f5d…`,
    '<%= config.bin %> <%= command.id %> gateway-2.0.0.fw --json',
  ];
  static override args = { bundle: Args.string({ description: 'the bundle to look at', required: true }) };
  static override flags = {
    engine: Flags.option({
      description: 'builtin (auto is the same), or fwup: then it has to be able to read the bundle too',
      options: engines,
      default: 'auto' as const,
    })(),
  };

  protected async execute(): Promise<BundleSummary> {
    const { args, flags } = await this.parse(Inspect);
    return inspectBundle(args.bundle, { engine: flags.engine });
  }

  protected render(bundle: BundleSummary): void {
    this.print(formatBundle(bundle, bundle.signed ? 'there, not checked' : 'NONE', stdoutOption()));
  }
}
