import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatAuthorities } from '../../src/cli/render/authority.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { AuthorityView } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<AuthorityView[]> {
  static override description =
    'list the authorities that sign or signed certificates of devices, ours and registered ones';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
AUTHORITY  KIND        STATE    SINCE    ENDS  DEVICES  ISSUED  SUBJECT
issuing-1  issuing     active   10d ago  -     409      412     CN=harbour-k3f9x2 issuing authority
acme       registered  trusted  2h ago   -     55       55      CN=Acme Device CA, O=Acme`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<AuthorityView[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return (await client.authorities()).authorities;
  }

  protected render(authorities: AuthorityView[]): void {
    this.print(formatAuthorities(authorities, Date.now(), stdoutOption()));
  }
}
