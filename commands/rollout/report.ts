import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatReportHtml } from '../../src/cli/render/rollout-html.ts';
import { formatReportMarkdown } from '../../src/cli/render/rollout-report.ts';
import { writeOutput } from '../../src/cli/write-output.ts';
import type { RolloutReport } from '../../src/client/contract/index.ts';

export default class Report extends BaseCommand<RolloutReport> {
  static override description = `report on a rollout, also long after its end: outcome, phases, timeline, failures by cause, bytes, durations, evidence
Markdown; with --html one page with charts that needs nothing beside itself. All numbers come from the coordinator's store.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> r-81ac
# Rollout r-81ac: harbour-gateway/2.0.0/stable

completed
8 targets of 'G@site:harbour', 8 offered, 8 proven, 0 failed (8 committed)
…`,
    '<%= config.bin %> <%= command.id %> r-81ac --html --out report.html',
    `<%= config.bin %> <%= command.id %> r-81ac --json | jq .durations.whole`,
  ];
  static override args = { rollout: Args.string({ description: 'the id of the rollout', required: true }) };
  static override flags = {
    html: Flags.boolean({ description: 'one page with charts', exclusive: ['json'] }),
    out: Flags.string({ description: 'write into this file', helpValue: 'FILE', exclusive: ['json'] }),
  };

  protected async execute(): Promise<RolloutReport> {
    const { args, flags } = await this.parse(Report);
    const client = await openClient(flags);
    const report = await client.rolloutReport(args.rollout);
    if (!this.json) {
      const text = flags.html ? formatReportHtml(report) : formatReportMarkdown(report);
      await writeOutput(flags.out, text);
    }
    return report;
  }

  protected render(): void {}
}
