import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatDryRollout, formatRolloutSummary } from '../../src/cli/render/rollout.ts';
import { readRolloutRequest, rolloutArgs, rolloutFlags } from '../../src/cli/rollout-flag.ts';
import { rolloutExitCode } from '../../src/cli/rollout-exit-code.ts';
import { sendConfirmed } from '../../src/cli/send-confirmed.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { describeContent, uploadContent } from '../../src/cli/upload-content.ts';
import { waitRollout } from '../../src/cli/wait-rollout.ts';
import type { Rollout, RolloutRequest } from '../../src/client/contract/index.ts';

export default class Start extends BaseCommand<Rollout> {
  static override description = `start an update of every device that matches, in phases, counted by evidence; or a job, settings, new certificates, another agent
The targets are fixed now. A phase starts when all of the one before is proven: new boot id, slot, bundle and health. Too many failures halt the rollout; nobody else is touched. A policy file (docs/guide/rollouts.md) says more than flags can, also an action in the place of the release: a job, settings, new certificates or another agent; \`flotilla rollout plan\` shows it all before.

With --wait this follows to the end: exit 0 when every target is proven, 4 when it halted, was aborted or some failed, 5 when some timed out or nobody knows. With --json it prints one document: the rollout as it was started, or with --wait as it ended.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> harbour-gateway/2.0.0 'G@site:harbour' --phase 1@I@ring:canary --phase 25% --phase rest --soak 10m
rollout r-81ac: running; 8 devices, 1 queued, 7 waiting`,
    `<%= config.bin %> <%= command.id %> harbour-gateway/2.0.0 '*' --max-failures 2 --expect 12 --wait`,
    `<%= config.bin %> <%= command.id %> policy.yaml --expect 12`,
    `<%= config.bin %> <%= command.id %> harbour-gateway/2.0.0 '*' --dry-run`,
  ];
  static override args = rolloutArgs;
  static override flags = {
    ...rolloutFlags,
    expect: Flags.integer({ description: 'refuse unless exactly this many devices match', min: 0 }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask; only together with --expect' }),
    'dry-run': Flags.boolean({ description: 'show the phases and who is in them, start nothing', exclusive: ['wait'] }),
    wait: Flags.boolean({ description: 'follow to the end' }),
  };

  #kind: 'dry-run' | 'started' | 'ended' | 'left' = 'started';

  protected async execute(): Promise<Rollout> {
    const { args, flags } = await this.parse(Start);
    const request: RolloutRequest = {
      ...(await readRolloutRequest(args, flags, async (path) =>
        flags['dry-run'] ? describeContent(path) : uploadContent(await openClient(flags), path),
      )),
      ...defined({ dryRun: flags['dry-run'] || undefined }),
    };
    const client = await openClient(flags);
    const rollout = await sendConfirmed({
      send: (expect) => client.startRollout({ ...request, ...defined({ expect }) }),
      expect: flags.expect,
      yes: flags.yes,
      json: this.json,
    });
    if (flags['dry-run']) this.#kind = 'dry-run';
    if (!flags.wait) return rollout;
    const ended = await waitRollout(client, rollout, {
      emit: undefined,
      print: this.json ? undefined : (text) => this.print(text),
    });
    this.#kind = ended === undefined ? 'left' : 'ended';
    return ended ?? rollout;
  }

  protected render(rollout: Rollout): void {
    if (this.#kind === 'dry-run') this.print(formatDryRollout(rollout));
    else if (this.#kind !== 'left') this.print(formatRolloutSummary(rollout, stdoutOption()));
  }

  protected override exitCode(rollout: Rollout): ExitCode {
    if (this.#kind === 'ended') return rolloutExitCode(rollout);
    return this.#kind === 'left' ? ExitCode.interrupted : ExitCode.ok;
  }
}
