import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { readRecording } from '../../src/cli/read-recording.ts';
import { formatReportHtml } from '../../src/cli/render/rollout-html.ts';
import { formatReplay, formatTrial } from '../../src/cli/render/trial.ts';
import { rolloutExitCode } from '../../src/cli/rollout-exit-code.ts';
import { runTrial } from '../../src/cli/run-trial.ts';
import { modelFlags, trialFlagNames, trialFlags } from '../../src/cli/simulate-flag.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { defaultSeed } from '../../src/cli/try-policy.ts';
import { writeOutput } from '../../src/cli/write-output.ts';
import { replayRecording, type Replayed, type Trial } from '../../src/simulation/index.ts';

export default class Simulate extends BaseCommand<Trial | Replayed> {
  static override description = `try a rollout policy on a fleet in memory, on a virtual clock, by the rules that the coordinator runs
The policy is a file, as for \`rollout plan\`, or a few flags. The fleet is a file (YAML with kinds of devices to generate, or an inventory as \`device list --json\` prints it), \`recorded\` for the one that the coordinator knows, or --devices so many alike. Who fails, is away, flaps or puts the update off comes from --model, or from --fail and its like, drawn by --seed: the same seed gives the same course.

Exit codes are those of the rollout that this would be: 0 when every target is proven, 4 when it halts or some fail, 5 when some time out or it is not done within --limit. With --recording a real rollout that \`rollout export\` has written down is gone through again: 0 when the outcome is the recorded one, 4 when it is not.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> policy.yaml --fleet fleet.yaml --fail 5% --offline 3%
halted: 1 of 1 ended devices failed; the limit is 1
1000 devices after 3m58s of virtual time; 1 offered, 0 proven, 1 failed (1 rolled-back, 999 waiting); at most 1 at once; seed 1
…`,
    `<%= config.bin %> <%= command.id %> --devices 100000 --phase 1% --phase rest --max-in-flight 500 --fail 2% --json | jq .ending`,
    '<%= config.bin %> <%= command.id %> --recording r-81ac.ndjson',
  ];
  static override args = { policy: Args.string({ description: 'the policy, a YAML file; or say it by flags' }) };
  static override flags = {
    ...trialFlags,
    fleet: Flags.string({ description: 'the devices: a file, or `recorded`', helpValue: 'FILE|recorded' }),
    devices: Flags.integer({ description: 'so many devices, all alike', min: 1, max: 1_000_000, exclusive: ['fleet'] }),
    ...modelFlags,
    seed: Flags.integer({ description: 'of all that is drawn', min: 0, default: defaultSeed }),
    at: Flags.string({ description: 'when the rollout starts, for windows; a Monday at midnight', helpValue: 'TIME' }),
    limit: Flags.string({ description: 'virtual time after which it is given up; 30 days', helpValue: 'DURATION' }),
    recording: Flags.string({
      description: 'go through a rollout that was exported',
      helpValue: 'FILE',
      exclusive: [...trialFlagNames, ...Object.keys(modelFlags), 'fleet', 'devices'],
    }),
    html: Flags.boolean({ description: 'the report as one page with charts', exclusive: ['json'] }),
    out: Flags.string({ description: 'write the page into this file', helpValue: 'FILE', dependsOn: ['html'] }),
  };

  #html = false;

  protected async execute(): Promise<Trial | Replayed> {
    const { args, flags } = await this.parse(Simulate);
    this.#html = flags.html;
    const data =
      flags.recording === undefined
        ? await runTrial(args.policy, flags)
        : await replayRecording(readRecording(flags.recording));
    if (flags.html) await writeOutput(flags.out, formatReportHtml(data.report));
    return data;
  }

  protected render(data: Trial | Replayed): void {
    if (this.#html) return;
    this.print('ending' in data ? formatTrial(data, stdoutOption()) : formatReplay(data));
  }

  protected override exitCode(data: Trial | Replayed): ExitCode {
    if (!('ending' in data)) return data.differences.length === 0 ? ExitCode.ok : ExitCode.someFailed;
    return data.ending === 'unfinished' ? ExitCode.someUndecided : rolloutExitCode(data.report.rollout);
  }
}
