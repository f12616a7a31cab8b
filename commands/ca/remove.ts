import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { plural } from '../../src/cli/human.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatEnded } from '../../src/cli/render/authority.ts';
import type { EndedAuthority } from '../../src/client/contract/index.ts';

export default class Remove extends BaseCommand<EndedAuthority> {
  static override description = `end the trust in a registered authority; all its devices are cut off at once
Its devices stay in the registry. It can be registered again, with a new proof. Asks to type the name of the authority, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> acme --yes
acme is removed
55 connections cut`,
  ];
  static override args = {
    authority: Args.string({ description: 'one of `ca list` of the kind registered', required: true }),
  };
  static override flags = {
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<EndedAuthority> {
    const { args, flags } = await this.parse(Remove);
    const client = await openClient(flags);
    const { authority } = await client.authority(args.authority);
    await confirmTyped({
      warning: `removing ${args.authority} cuts off ${plural(authority.devices, 'device')}`,
      answer: args.authority,
      yes: flags.yes,
      json: this.json,
    });
    return client.removeAuthority(args.authority);
  }

  protected render(ended: EndedAuthority): void {
    this.print(formatEnded(ended));
  }
}
