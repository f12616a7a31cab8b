import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { formatBundle } from '../../src/cli/render/bundle.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { engines, signBundle, type BundleSummary } from '../../src/firmware/index.ts';
import { choosePrivateKey } from '../../src/cli/firmware-key.ts';

export default class Sign extends BaseCommand<BundleSummary> {
  static override description = `sign a bundle, or sign it again with another key
The old signature is dropped; meta.conf and so the UUID stay. Every resource is checked on the way: a damaged bundle is refused, not signed.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway.fw -o gateway-signed.fw --key release-2027.priv
product:    harbour-gateway 2.0.0
uuid:       0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11
signature:  signed with release-2027.priv`,
    '<%= config.bin %> <%= command.id %> gateway.fw -o gateway.fw --json',
  ];
  static override args = { bundle: Args.string({ description: 'the bundle to sign', required: true }) };
  static override flags = {
    output: Flags.string({
      char: 'o',
      description: 'the signed bundle; may be the bundle itself',
      required: true,
      helpValue: 'FILE',
    }),
    key: Flags.file({
      description: "the private key to sign with; by default the fleet's keys/firmware.priv",
      helpValue: 'FILE',
    }),
    engine: Flags.option({
      description: 'builtin, or fwup (the program on PATH); auto is builtin',
      options: engines,
      default: 'auto' as const,
    })(),
    'source-date-epoch': Flags.integer({
      description: "the bundle's date in seconds since 1970; by default now",
      env: 'SOURCE_DATE_EPOCH',
      min: 0,
      max: 0xffff_ffff,
    }),
  };

  #signature = '';

  protected async execute(): Promise<BundleSummary> {
    const { args, flags } = await this.parse(Sign);
    const privateKeyPath = await choosePrivateKey(flags.key, flags['fleet-dir']);
    this.#signature = `signed with ${privateKeyPath}`;
    return signBundle({
      inputPath: args.bundle,
      outputPath: flags.output,
      privateKeyPath,
      engine: flags.engine,
      ...defined({ sourceDateEpochSeconds: flags['source-date-epoch'] }),
    });
  }

  protected render(bundle: BundleSummary): void {
    this.print(formatBundle(bundle, this.#signature, stdoutOption()));
  }
}
