import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatStatus } from '../../src/cli/render/coordinator.ts';
import type { CoordinatorStatus } from '../../src/client/contract/index.ts';

export default class Status extends BaseCommand<CoordinatorStatus> {
  static override description = 'say what the coordinator does now: gateways, links, devices, store';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
fleet:        harbour
coordinator:  running, pid 4711, version 0.1.0
started:      2026-11-22 21:30:05Z (up 3m20s)
listens:      0.0.0.0:7443
gateways:     pid 4713: 6 links; pid 4714: 6 links
devices:      12, 12 connected (12 accepted)
running:      0 jobs, 1 rollouts
store:        /srv/harbour/data/coordinator.db (348 events, last offset 348)
deadletters:  1: handler meter.reading 1 (oldest 2h5m ago)`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<CoordinatorStatus> {
    const { flags } = await this.parse(Status);
    const client = await openClient(flags);
    return client.status();
  }

  protected render(status: CoordinatorStatus): void {
    this.print(formatStatus(status, Date.now()));
  }
}
