import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRolloutSummary } from '../../src/cli/render/rollout.ts';
import { rolloutExitCode } from '../../src/cli/rollout-exit-code.ts';
import { readPlanFile } from '../../src/cli/rollout-plan-file.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { waitRollout } from '../../src/cli/wait-rollout.ts';
import type { Rollout } from '../../src/client/contract/index.ts';

export default class Apply extends BaseCommand<Rollout> {
  static override description = `start a rollout as a plan of \`flotilla rollout plan\` says
The coordinator believes nothing of the file: it carries out the policy anew and refuses (exit 6) when that does not lead to this plan, or when a device was tagged so that it does not match any more, replaced, set up anew, updated by hand, quarantined or removed, when another one matches now, or when the release has changed. Each is named. A plan is applied once: whoever comes second is told which rollout it has become.

With --wait this follows to the end, with the exit codes of \`rollout start --wait\`.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> plan.yaml
rollout r-81ac: running; 8 devices, 1 queued, 7 waiting`,
    `<%= config.bin %> <%= command.id %> plan.yaml --wait --json`,
  ];
  static override args = { plan: Args.string({ description: 'the file of the plan', required: true }) };
  static override flags = { wait: Flags.boolean({ description: 'follow to the end' }) };

  #kind: 'started' | 'ended' | 'left' = 'started';

  protected async execute(): Promise<Rollout> {
    const { args, flags } = await this.parse(Apply);
    const plan = await readPlanFile(args.plan);
    const client = await openClient(flags);
    const rollout = await client.applyRollout(plan);
    if (!flags.wait) return rollout;
    const ended = await waitRollout(client, rollout, {
      emit: undefined,
      print: this.json ? undefined : (text) => this.print(text),
    });
    this.#kind = ended === undefined ? 'left' : 'ended';
    return ended ?? rollout;
  }

  protected render(rollout: Rollout): void {
    if (this.#kind !== 'left') this.print(formatRolloutSummary(rollout, stdoutOption()));
  }

  protected override exitCode(rollout: Rollout): ExitCode {
    if (this.#kind === 'ended') return rolloutExitCode(rollout);
    return this.#kind === 'left' ? ExitCode.interrupted : ExitCode.ok;
  }
}
