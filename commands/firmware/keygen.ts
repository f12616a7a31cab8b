import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { writeKeyPair } from '../../src/firmware/index.ts';

interface KeyPair {
  publicKeyPath: string;
  privateKeyPath: string;
}

export default class Keygen extends BaseCommand<KeyPair> {
  static override description = `make an Ed25519 key pair for signing bundles, in fwup's format
Writes PREFIX.pub and PREFIX.priv with mode 0600; never overwrites. A fleet has one already, in its keys folder.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> release-2027
release-2027.pub    goes to every device and coordinator that shall accept bundles signed with it
release-2027.priv   signs: keep it secret`,
    '<%= config.bin %> <%= command.id %> --json',
  ];
  static override args = {
    prefix: Args.string({ description: 'where the keys go, without .pub and .priv', default: 'fwup-key' }),
  };

  protected async execute(): Promise<KeyPair> {
    const { args } = await this.parse(Keygen);
    return writeKeyPair(args.prefix);
  }

  protected render({ publicKeyPath, privateKeyPath }: KeyPair): void {
    const width = privateKeyPath.length;
    this.print(
      `${publicKeyPath.padEnd(width)}   goes to every device and coordinator that shall accept bundles signed with it\n` +
        `${privateKeyPath}   signs: keep it secret`,
    );
  }
}
