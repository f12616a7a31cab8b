import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRolloutSummary } from '../../src/cli/render/rollout.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import type { Rollout } from '../../src/client/contract/index.ts';

export default class Approve extends BaseCommand<Rollout> {
  static override description =
    'approve the phase that waits for it: the next one begins; needs the role that its gate names, or admin';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> r-81ac --reason 'the canary runs well'
rollout r-81ac: running; 8 devices, 1 committed, 7 queued`,
  ];
  static override args = { rollout: Args.string({ description: 'the id of the rollout', required: true }) };
  static override flags = {
    reason: Flags.string({ description: 'why, for the log and for the next reader' }),
    revision: Flags.integer({ description: 'refuse when the rollout has changed since this revision', min: 0 }),
  };

  protected async execute(): Promise<Rollout> {
    const { args, flags } = await this.parse(Approve);
    const client = await openClient(flags);
    return client.changeRollout(
      args.rollout,
      'approve',
      defined({ reason: flags.reason, expectedRevision: flags.revision }),
    );
  }

  protected render(rollout: Rollout): void {
    this.print(formatRolloutSummary(rollout, stdoutOption()));
  }
}
