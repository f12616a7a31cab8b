import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { formatBundle } from '../../src/cli/render/bundle.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { engines, verifyBundle, type BundleSummary } from '../../src/firmware/index.ts';
import { choosePublicKeys } from '../../src/cli/firmware-key.ts';

export default class Verify extends BaseCommand<BundleSummary> {
  static override description = `prove that a bundle was signed with one of the keys and is whole
Checks the signature of meta.conf, length and BLAKE2b hash of every resource, and that the archive holds nothing else. Without a key nothing is proved, so that is refused too. Exit code 6 for every refusal; the error's code says why: firmware-no-key, firmware-unsigned, firmware-wrong-key, firmware-bad-signature, firmware-metadata-damaged, firmware-resource-damaged, firmware-malformed.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway-2.0.0.fw
product:    harbour-gateway 2.0.0
uuid:       0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11
signature:  good`,
    `$ <%= config.bin %> <%= command.id %> gateway-2.0.0.fw --key other.pub
Error: the signature does not belong to this meta.conf and any of the given keys
  seen:     tried 1 public key
  try:      it was signed with another key, or changed after it was signed: build and sign it again`,
    '<%= config.bin %> <%= command.id %> gateway-2.0.0.fw --key old.pub --key new.pub --json',
  ];
  static override args = { bundle: Args.string({ description: 'the bundle to verify', required: true }) };
  static override flags = {
    key: Flags.file({
      description:
        "a public key; may be given several times, any one is enough; by default the fleet's keys/firmware.pub",
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'FILE',
    }),
    engine: Flags.option({
      description: 'builtin (auto is the same), or fwup: then both have to agree',
      options: engines,
      default: 'auto' as const,
    })(),
  };

  protected async execute(): Promise<BundleSummary> {
    const { args, flags } = await this.parse(Verify);
    const publicKeys = await choosePublicKeys(flags.key ?? [], flags['fleet-dir']);
    return verifyBundle({ path: args.bundle, publicKeys, engine: flags.engine });
  }

  protected render(bundle: BundleSummary): void {
    this.print(formatBundle(bundle, 'good', stdoutOption()));
  }
}
