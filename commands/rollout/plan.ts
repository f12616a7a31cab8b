import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatPlan } from '../../src/cli/render/rollout-plan.ts';
import { readRolloutRequest, rolloutArgs, rolloutFlags } from '../../src/cli/rollout-flag.ts';
import { formatPlanFile } from '../../src/cli/rollout-plan-file.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { uploadContent } from '../../src/cli/upload-content.ts';
import type { RolloutPlan } from '../../src/client/contract/index.ts';

export default class Plan extends BaseCommand<RolloutPlan> {
  static override description = `show what a rollout would do now, and write it into a file that can be applied later
The plan has the targets by name with what they run, the phases, the bytes with and without deltas, an estimate of the time and what to look at. Nothing is begun; files that the policy's action brings are sent to the coordinator. \`flotilla rollout apply\` refuses it when a device, the release or the file has changed since.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> policy.yaml -o plan.yaml
harbour-gateway/2.0.0/stable to 8 devices; 41 MiB to fetch (96 MiB without deltas), about 29m
PHASE     DEVICES  CONNECTED  BYTES    TIME   THEN
1 canary        1          1  5.1 MiB  13m5s  success >= 100 %, soak 10m, approval by admin
2               7          7  36 MiB   16m    -
note: 1 of the targets (gw-008): not connected: offered when it comes, within 86400 s
the time assumes 1 MiB/s for each device, 3 min for installation, restart and health checks; nobody fails or is away`,
    `<%= config.bin %> <%= command.id %> harbour-gateway/2.0.0 'G@site:harbour' --phase 1 --phase rest -o plan.yaml`,
  ];
  static override args = rolloutArgs;
  static override flags = {
    ...rolloutFlags,
    output: Flags.string({
      char: 'o',
      description: 'write the plan into this file; it must not exist',
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<RolloutPlan> {
    const { args, flags } = await this.parse(Plan);
    const { output } = flags;
    await using files = new NewFiles();
    if (output !== undefined) await files.reserve(output);
    // What a plan needs must be there when it is applied.
    const request = await readRolloutRequest(args, flags, async (path) => uploadContent(await openClient(flags), path));
    const client = await openClient(flags);
    const plan = await client.planRollout(request);
    if (output !== undefined) await files.fill(output, formatPlanFile(plan));
    files.keep();
    return plan;
  }

  protected render(plan: RolloutPlan): void {
    this.print(formatPlan(plan, stdoutOption()));
  }
}
