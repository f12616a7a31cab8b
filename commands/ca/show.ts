import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatAuthority, formatOverview } from '../../src/cli/render/authority.ts';
import type { AuthorityDetail, AuthorityOverview } from '../../src/client/contract/index.ts';

export default class Show extends BaseCommand<AuthorityOverview | AuthorityDetail> {
  static override description = `show the fleet's authorities: the root and where its key is, what signs, what is trusted
With the name of an authority: all that is known of it, and the devices whose present certificate it signed.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
fleet:        harbour-k3f9x2
root:         CN=harbour-k3f9x2 root authority
root key:     detached: kept elsewhere
coordinator:  5f1c0a7702b94d0c8e1f22aa90d3b761, signed by issuing-2
names:        coordinator.harbour-k3f9x2.flotilla, fleet.example.org

AUTHORITY  KIND        STATE    SINCE     ENDS    DEVICES  ISSUED  SUBJECT
issuing-1  issuing     overlap  400d ago  in 89d  3        812     CN=harbour-k3f9x2 issuing authority
issuing-2  issuing     active   1d ago    -       409      409     CN=harbour-k3f9x2 issuing authority 2
acme       registered  trusted  30d ago   -       55       55      CN=Acme Device CA, O=Acme

3 devices still on the old authority issuing-1; its overlap ends in 89d`,
    '<%= config.bin %> <%= command.id %> issuing-1 --json',
  ];
  static override args = {
    authority: Args.string({ description: 'one of `ca list`; all of them when left out' }),
  };

  protected async execute(): Promise<AuthorityOverview | AuthorityDetail> {
    const { args, flags } = await this.parse(Show);
    const client = await openClient(flags);
    return args.authority === undefined ? client.authorities() : client.authority(args.authority);
  }

  protected render(shown: AuthorityOverview | AuthorityDetail): void {
    this.print('authority' in shown ? formatAuthority(shown, Date.now()) : formatOverview(shown, Date.now()));
  }
}
