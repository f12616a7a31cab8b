import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRolloutSummary } from '../../src/cli/render/rollout.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { OnFailure, Rollout } from '../../src/client/contract/index.ts';

export default class Abort extends BaseCommand<Rollout> {
  static override description = `end a rollout for good: offers are withdrawn; a device that installs already runs to its end
With --rollback-to, a second rollout (its id ends in -back) brings that release to every device that was offered this one, as each comes to its end.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> r-81ac --reason 'waiting for the night'
rollout r-81ac: aborted; 8 devices, 3 committed, 5 cancelled`,
    `<%= config.bin %> <%= command.id %> r-81ac --rollback-to harbour-gateway/1.9.0 --reason 'meters drift'`,
  ];
  static override args = { rollout: Args.string({ description: 'the id of the rollout', required: true }) };
  static override flags = {
    reason: Flags.string({ description: 'why, for the log and for the next reader' }),
    action: Flags.string({
      description:
        'cancel-queued lets those that are on their way go on; cancel-all (as without) takes back what it can',
      options: ['cancel-queued', 'cancel-all'],
      exclusive: ['rollback-to'],
    }),
    'rollback-to': Flags.string({
      description: 'bring this release to every device that was offered the other',
      helpValue: 'RELEASE',
    }),
    revision: Flags.integer({ description: 'refuse when the rollout has changed since this revision', min: 0 }),
  };

  protected async execute(): Promise<Rollout> {
    const { args, flags } = await this.parse(Abort);
    const client = await openClient(flags);
    return client.changeRollout(
      args.rollout,
      'abort',
      defined({
        reason: flags.reason,
        expectedRevision: flags.revision,
        action:
          flags['rollback-to'] === undefined
            ? (flags.action as OnFailure | undefined)
            : { rollbackTo: flags['rollback-to'] },
      }),
    );
  }

  protected render(rollout: Rollout): void {
    this.print(formatRolloutSummary(rollout, stdoutOption()));
  }
}
