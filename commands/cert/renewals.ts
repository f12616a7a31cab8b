import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRenewals } from '../../src/cli/render/renewal.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Renewal } from '../../src/client/contract/index.ts';

export default class Renewals extends BaseCommand<Renewal[]> {
  static override description = `list the renewals of certificates that are under way
A renewal ends when its device has come in with the new certificate: then it is no longer here, and \`cert list\` shows the proof.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
DEVICE  STATE   CAUSE     SINCE   ASKED  LINK  DETAIL
gw-001  issued  rotation  2s ago  1      up    -
gw-007  wanted  rotation  1m ago  0      away  the device is away
2 renewals: 1 issued, 1 wanted`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Renewal[]> {
    const { flags } = await this.parse(Renewals);
    const client = await openClient(flags);
    return client.renewals();
  }

  protected render(renewals: Renewal[]): void {
    this.print(formatRenewals(renewals, Date.now(), stdoutOption()));
  }
}
