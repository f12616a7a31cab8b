import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { packageVersion } from '../../src/config/index.ts';
import {
  defaultConfigPath,
  diagnose,
  formatDiagnosis,
  putSupportBundle,
  type Diagnosis,
} from '../../src/device/index.ts';

export default class Diagnose extends BaseCommand<Diagnosis> {
  static override description = `look over this device: what keeps its agent from its coordinator, and how to mend it
Configuration, clock, disk, permissions, certificate, network, name, port, TLS, service, link, log: each with a verdict, in the order in which they depend on each other. Changes nothing. Exit code 4 when something is bad.

--bundle writes all of it, with the configuration, the unit and the log, into one gzipped JSON document (zcat) for whoever helps. No secret is in it.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
ok       configuration  /etc/flotilla/agent.yaml
ok       clock          2026-11-22T21:30:05.000Z, synchronised
ok       certificate    valid until 2027-11-22 (364 days), its key fits
ok       network        eth0 10.1.2.3
bad      dns            fleet.example.org: ENOTFOUND
                        mend: see /etc/resolv.conf, or write the address into coordinator.host
skipped  port           no address
1 bad, 0 warnings`,
    '<%= config.bin %> <%= command.id %> --config agent.yaml --bundle support.json.gz --json',
  ];
  static override flags = {
    config: Flags.file({ description: "the agent's file", default: defaultConfigPath, helpValue: 'FILE' }),
    bundle: Flags.string({ description: 'a new file for support', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<Diagnosis> {
    const { flags } = await this.parse(Diagnose);
    const diagnosis = await diagnose(flags.config, await packageVersion(), Date.now());
    if (flags.bundle !== undefined) {
      await putSupportBundle(flags.bundle, flags.config, diagnosis);
      this.note(`${flags.bundle}: for whoever helps; no secret is in it`);
    }
    return diagnosis;
  }

  protected render(diagnosis: Diagnosis): void {
    this.print(formatDiagnosis(diagnosis));
  }

  protected override exitCode({ ok }: Diagnosis): ExitCode {
    return ok ? ExitCode.ok : ExitCode.someFailed;
  }
}
