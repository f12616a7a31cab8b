import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRollout, formatRolloutSummary } from '../../src/cli/render/rollout.ts';
import { rolloutExitCode } from '../../src/cli/rollout-exit-code.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { waitRollout } from '../../src/cli/wait-rollout.ts';
import type { Rollout } from '../../src/client/contract/index.ts';

export default class Status extends BaseCommand<Rollout | undefined> {
  static override description = `show a rollout: policy, phases, and each device with its evidence or its reason
The output of an action that is a job stands in \`flotilla job show ID-job\`. With --follow every step of every device is shown as it comes, until the rollout ends or halts; exit codes are then those of \`rollout start --wait\`, and --json prints one row a line: {"kind":"device"|"rollout", …}.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> r-81ac
rollout:   r-81ac
release:   harbour-gateway/2.0.0/stable (bundle 0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11)
state:     halted
reason:    1 failure of 1 allowed
devices:   8: 1 rolled-back, 7 waiting

phase 1: 1 device, failed
phase 2: 7 devices, waiting

DEVICE  PHASE  STATE        SINCE      TRIES  EVIDENCE
gw-001      1  rolled-back  3m20s ago      1  health-failed: http answered 500`,
    '<%= config.bin %> <%= command.id %> r-81ac --follow --json',
  ];
  static override args = { rollout: Args.string({ description: 'the id of the rollout', required: true }) };
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on until the rollout ends or halts' }),
  };

  #follow = false;

  protected override get streaming(): boolean {
    return this.#follow;
  }

  protected async execute(): Promise<Rollout | undefined> {
    const { args, flags } = await this.parse(Status);
    this.#follow = flags.follow;
    const client = await openClient(flags);
    const rollout = await client.rollout(args.rollout);
    if (!flags.follow) return rollout;
    return waitRollout(client, rollout, {
      emit: this.json ? (row) => this.emit(row) : undefined,
      print: this.json ? undefined : (text) => this.print(text),
    });
  }

  protected render(rollout: Rollout | undefined): void {
    if (rollout === undefined) return;
    const option = stdoutOption();
    this.print(this.#follow ? formatRolloutSummary(rollout, option) : formatRollout(rollout, Date.now(), option));
  }

  protected override exitCode(rollout: Rollout | undefined): ExitCode {
    if (rollout === undefined) return ExitCode.interrupted;
    return this.#follow ? rolloutExitCode(rollout) : ExitCode.ok;
  }
}
