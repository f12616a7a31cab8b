import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatReleases } from '../../src/cli/render/release.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Release } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Release[]> {
  static override description = 'list published releases';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
RELEASE                          SIZE  PUBLISHED  BUNDLE                                DESCRIPTION
harbour-gateway/2.0.0/stable   12 MiB  2h5m ago   0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11  faster start`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<Release[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.releases();
  }

  protected render(releases: Release[]): void {
    this.print(formatReleases(releases, Date.now(), stdoutOption()));
  }
}
