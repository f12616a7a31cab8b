import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDefines } from '../../src/cli/define-flag.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { formatLint } from '../../src/cli/render/lint.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { lintFirmware, parseDiskSize, type LintFinding } from '../../src/firmware/index.ts';

interface Linted {
  /** False when there is an error; with --strict, when there is an error or a warning. */
  ok: boolean;
  findings: LintFinding[];
}

export default class Lint extends BaseCommand<Linted> {
  static override description = `find what bricks devices, before one is bricked
Reads bundles and configurations; resources are measured, not read, and no key is needed. Every finding says what stands there, what happens to a device, and what to do. The rules are listed in docs/guide/firmware.md. Exit code 4 when there is an error (with --strict also for warnings); advice never fails.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> fwup.conf
error switch-before-data  fwup.conf:71:9  task upgrade.a
  seen  uboot_setenv(env, active_slot, a) in on-init changes active_slot in env before the last data is written
  why   when the power fails in between, the device boots a slot that is not written yet
  do    move it to the end of on-finish: that runs only after every resource was written and its hash held

1 error, 0 warnings, 0 pieces of advice`,
    '<%= config.bin %> <%= command.id %> gateway-2.0.0.fw --data 4 --data 2048:256',
    '<%= config.bin %> <%= command.id %> gateway-2.0.0.fw fwup.conf --strict --disk-size 3800MB --json',
  ];
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'bundles (.fw) and configurations, one or more', required: true }),
  };
  static override flags = {
    strict: Flags.boolean({ description: 'let warnings fail too' }),
    'disk-size': Flags.string({
      description: 'the smallest disk that devices have, such as 4G or 3800MB: finds what lies behind its end',
      helpValue: 'SIZE',
    }),
    data: Flags.string({
      description: 'what no upgrade may touch: a partition by its name or number, or BLOCK:COUNT; several times',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PARTITION',
    }),
    define: Flags.string({
      description: 'a variable for the configurations; may be given several times',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=VALUE',
    }),
  };

  protected async execute(): Promise<Linted> {
    const { argv, flags } = await this.parse(Lint);
    const diskSize = flags['disk-size'];
    const option = {
      variables: { ...process.env, ...parseDefines(flags.define) },
      data: flags.data ?? [],
      ...(diskSize === undefined ? {} : { diskBlocks: parseDiskSize(diskSize) }),
    };
    const findings: LintFinding[] = [];
    for (const path of argv as string[]) findings.push(...(await lintFirmware(path, option)));
    const fails = (severity: string) => severity === 'error' || (flags.strict && severity === 'warning');
    return { ok: !findings.some(({ severity }) => fails(severity)), findings };
  }

  protected render({ findings }: Linted): void {
    this.print(formatLint(findings, stdoutOption()));
  }

  protected override exitCode({ ok }: Linted): ExitCode {
    return ok ? ExitCode.ok : ExitCode.someFailed;
  }
}
