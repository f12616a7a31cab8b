import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { formatManifest } from '../../../src/cli/render/enrollment.ts';
import { stdoutOption } from '../../../src/cli/terminal.ts';
import type { PreregistrationView } from '../../../src/client/contract/index.ts';

export default class List extends BaseCommand<PreregistrationView[]> {
  static override description = 'list pre-registered devices, and which of them have come';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
DEVICE   CAME     SERIAL   KEY  LETS IN AS  TAGS         BOUND GRAINS
meter-1  not yet  SN-0001  -    accepted    ring=canary  site=harbour`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<PreregistrationView[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.manifest();
  }

  protected render(rows: PreregistrationView[]): void {
    this.print(formatManifest(rows, Date.now(), stdoutOption()));
  }
}
