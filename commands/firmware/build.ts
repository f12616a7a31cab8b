import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDefines } from '../../src/cli/define-flag.ts';
import { defined } from '../../src/cli/defined.ts';
import { formatBundle } from '../../src/cli/render/bundle.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { buildBundle, engines, type BundleSummary } from '../../src/firmware/index.ts';
import { choosePrivateKey } from '../../src/cli/firmware-key.ts';

export default class Build extends BaseCommand<BundleSummary> {
  static override description = `build a signed .fw bundle from a fwup configuration
Variables come from --define, then the environment; both win over define(…) in the file. The bundle is written beside its place and renamed, so it is there whole or not at all. Exit code 2 when the configuration is wrong.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> -f fwup.conf -o gateway-2.0.0.fw --define VERSION=2.0.0
product:    harbour-gateway 2.0.0
platform:   virtual
created:    2026-11-22T21:30:05Z
uuid:       0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11
signature:  signed with /srv/fleet/keys/firmware.priv
tasks:      complete, upgrade.a, upgrade.b
size:       12 MiB (12582912 bytes)
sha256:     4f5d…
RESOURCE    SIZE   BLAKE2B-256
rootfs.img  8 MiB  2427b33895664f21…`,
    '<%= config.bin %> <%= command.id %> -f fwup.conf -o gateway.fw --key release.priv --json',
    `$ <%= config.bin %> <%= command.id %> -f fwup.conf -o gateway.fw
Error: fwup.conf:12:5: no such option 'blokc-offset'
        blokc-offset = 2048
        ^
  expected: in partition: block-offset, block-count, type, boot, expand`,
  ];
  static override flags = {
    config: Flags.file({ char: 'f', description: 'the configuration', default: 'fwup.conf', helpValue: 'FILE' }),
    output: Flags.string({ char: 'o', description: 'the bundle to write', required: true, helpValue: 'FILE' }),
    key: Flags.file({
      description: "the private key to sign with; by default the fleet's keys/firmware.priv",
      helpValue: 'FILE',
      exclusive: ['unsigned'],
    }),
    unsigned: Flags.boolean({ description: 'do not sign: nothing will accept the bundle until `firmware sign`' }),
    define: Flags.string({
      description: 'a variable for the configuration; may be given several times',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=VALUE',
    }),
    engine: Flags.option({
      description: 'builtin, fwup (the program on PATH), or auto: fwup only for what builtin does not support',
      options: engines,
      default: 'auto' as const,
    })(),
    compression: Flags.integer({ description: '1 (fast) to 9 (small)', min: 1, max: 9, default: 9 }),
    'source-date-epoch': Flags.integer({
      description: "the bundle's date in seconds since 1970, for reproducible builds; by default now",
      env: 'SOURCE_DATE_EPOCH',
      min: 0,
      max: 0xffff_ffff,
    }),
  };

  #signature = '';

  protected async execute(): Promise<BundleSummary> {
    const { flags } = await this.parse(Build);
    const privateKeyPath = flags.unsigned ? undefined : await choosePrivateKey(flags.key, flags['fleet-dir']);
    if (flags.unsigned) this.#warn('the bundle is not signed; no device and no coordinator accepts it');
    this.#signature = privateKeyPath === undefined ? 'NOT SIGNED' : `signed with ${privateKeyPath}`;
    return buildBundle({
      configPath: flags.config,
      outputPath: flags.output,
      engine: flags.engine,
      compressionLevel: flags.compression,
      variables: { ...process.env, ...parseDefines(flags.define) },
      ...defined({ privateKeyPath, sourceDateEpochSeconds: flags['source-date-epoch'] }),
      onWarning: ({ message, position }) =>
        this.#warn(`${position.file}:${position.line}:${position.column}: ${message}`),
    });
  }

  protected render(bundle: BundleSummary): void {
    this.print(formatBundle(bundle, this.#signature, stdoutOption()));
  }

  #warn(text: string): void {
    process.stderr.write(`Warning: ${text}\n`);
  }
}
