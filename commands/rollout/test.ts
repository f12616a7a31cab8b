import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { formatCases, formatJunit } from '../../src/cli/render/policy-case.ts';
import { runPolicyCases, type CasesReport } from '../../src/cli/run-policy-cases.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { writeOutput } from '../../src/cli/write-output.ts';

export default class Test extends BaseCommand<CasesReport> {
  static override description = `run the policy tests of a product: what must come of a policy when this and that goes wrong
For its CI: each case names a policy, a fleet and what is injected into it, and what is expected: the outcome, at most so many devices touched, a halt in a certain phase, an end within so much time. Nothing but files is needed. Exit 4 when an expectation is not met, 2 when a file can't be used.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> rollout-test.yaml
passed  a good release reaches everybody within a day
failed  a bad release stops at the canary
        touched: expected at most 3, seen 12
        it was halted: 3 of 12 ended devices failed; …
2 cases: 1 passed, 1 failed`,
    `<%= config.bin %> <%= command.id %> rollout-test.yaml --junit results.xml`,
    `$ cat rollout-test.yaml
policy: policy.yaml
fleet: { generate: [{ count: 200, id: 'gw-{n}', tags: { ring: 'r{n%10}' } }] }
cases:
  - name: a bad release stops at the canary
    model: { failures: [{ share: 100% }] }
    expect: { outcome: halted, haltsInPhase: 1, touched: <=3, seconds: <=1h }`,
  ];
  static override args = { file: Args.string({ description: 'the cases, a YAML file', required: true }) };
  static override flags = {
    junit: Flags.string({ description: 'write the results as JUnit XML into this file', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<CasesReport> {
    const { args, flags } = await this.parse(Test);
    const report = await runPolicyCases(args.file, () => performance.now());
    if (flags.junit !== undefined) await writeOutput(flags.junit, formatJunit(report));
    return report;
  }

  protected render(report: CasesReport): void {
    this.print(formatCases(report, stdoutOption()));
  }

  protected override exitCode({ failed }: CasesReport): ExitCode {
    return failed === 0 ? ExitCode.ok : ExitCode.someFailed;
  }
}
