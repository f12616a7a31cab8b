import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { plural } from '../../src/cli/human.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatEnded } from '../../src/cli/render/authority.ts';
import type { EndedAuthority } from '../../src/client/contract/index.ts';

export default class Retire extends BaseCommand<EndedAuthority> {
  static override description = `end the trust in an issuing authority that was rotated away, before its overlap is over
Devices that still have a certificate of it are cut off at once. Its key is destroyed. There is no way back. Asks to type the name of the authority, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> issuing-1 --yes
issuing-1 is retired
0 connections cut`,
    '<%= config.bin %> <%= command.id %> issuing-1 --compromised',
  ];
  static override args = {
    authority: Args.string({ description: 'one of `ca list` in its overlap', required: true }),
  };
  static override flags = {
    compromised: Flags.boolean({
      description: 'its key may be in other hands: no certificate of it may even ask for a new one',
    }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<EndedAuthority> {
    const { args, flags } = await this.parse(Retire);
    const client = await openClient(flags);
    const { authority } = await client.authority(args.authority);
    await confirmTyped({
      warning: `retiring ${args.authority} can't be undone: ${plural(authority.devices, 'device')} still on it, which will be cut off`,
      answer: args.authority,
      yes: flags.yes,
      json: this.json,
    });
    return client.retireAuthority(args.authority, flags.compromised ? { compromised: true } : {});
  }

  protected render(ended: EndedAuthority): void {
    this.print(formatEnded(ended));
  }
}
