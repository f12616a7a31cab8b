import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatUpdateRecords } from '../../src/cli/render/update-record.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { updateResults, updateSources, type UpdateRecord } from '../../src/client/contract/update-record.ts';

export default class History extends BaseCommand<UpdateRecord[]> {
  static override description = `list the updates of a device that have ended, the newest first
Each with its evidence: what ran before and after (boot id, slot, bundle), whether the slot's bytes are the bundle's, the health checks, the bytes that were fetched, and the times; --json has all of it. Kept when the rollout itself is forgotten, up to 200 of each device. \`signed\` stands where the device's own receipt is on record. Times are in UTC.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-003
ENDED                 RESULT       FROM   TO     SLOT   BYTES    SOURCE        ID            REASON
2026-11-22 21:33:25Z  committed    1.0.0  2.0.0  a → b  3.1 MiB  file, signed  f-9c01d2e4a7  -
2026-11-20 08:01:12Z  rolled-back  1.0.0  1.1.0  a → a  190 KiB  rollout       r-81ac        health-check: health check failed: meter (exit 1)
2 updates: 1 committed, 1 rolled-back`,
    '<%= config.bin %> <%= command.id %> gw-003 --state rolled-back --since 30d --json',
  ];
  static override args = { device: Args.string({ description: 'the id of the device', required: true }) };
  static override flags = {
    source: Flags.option({ options: updateSources, description: 'only those that came this way' })(),
    state: Flags.option({ options: updateResults, description: 'only those that ended so' })(),
    since: Flags.string({ description: 'only those that ended within this time', helpValue: 'TIME' }),
    limit: Flags.integer({ description: 'at most this many', default: 50, min: 1, max: 200 }),
  };

  protected async execute(): Promise<UpdateRecord[]> {
    const { args, flags } = await this.parse(History);
    const { source, state, since, limit } = flags;
    const client = await openClient(flags);
    return client.deviceUpdates(args.device, {
      limit,
      ...(source === undefined ? {} : { source }),
      ...(state === undefined ? {} : { state }),
      ...(since === undefined ? {} : { sinceMs: Math.max(0, Date.now() - parseDuration(since, '--since') * 1_000) }),
    });
  }

  protected render(records: UpdateRecord[]): void {
    this.print(formatUpdateRecords(records, stdoutOption()));
  }
}
