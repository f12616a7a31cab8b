import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatRenewed } from '../../src/cli/render/renewal.ts';
import { waitRenewals, type RenewalOutcome } from '../../src/cli/wait-renewals.ts';
import type { Changed } from '../../src/client/contract/index.ts';

type Renewed = Changed & { outcome?: RenewalOutcome };

export default class Renew extends BaseCommand<Renewed> {
  static override description = `have devices make a new key and get a certificate for it
Devices renew by themselves at two thirds of a certificate's life; this is for doing it now. A device that is away is asked when it comes. The old certificate holds until the device has come in with the new one, and a while longer; see certificates.overlapSeconds of coordinator.yaml.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001 --wait
asked for a new certificate: 1 device: gw-001
proven: 1, waiting: 0, failed: 0`,
    "<%= config.bin %> <%= command.id %> 'G@site:harbour' --json",
  ];
  static override args = { selector: Args.string({ description: 'which devices', required: true }) };
  static override flags = {
    wait: Flags.boolean({ description: 'until each has come in with its new certificate, or failed to' }),
    timeout: Flags.string({
      description: 'how long to wait; devices that are away may never come',
      default: '5m',
      helpValue: 'DURATION',
    }),
  };

  protected async execute(): Promise<Renewed> {
    const { args, flags } = await this.parse(Renew);
    const timeoutSeconds = parseDuration(flags.timeout, '--timeout');
    const client = await openClient(flags);
    const changed = await client.renewCertificates({ selector: args.selector });
    if (!flags.wait) return changed;
    const outcome = await waitRenewals(client, [...changed.changed, ...changed.unchanged], timeoutSeconds * 1_000);
    return { ...changed, outcome };
  }

  protected override exitCode({ outcome }: Renewed): ExitCode {
    if (outcome === undefined) return ExitCode.ok;
    if (outcome.failed.length > 0) return ExitCode.someFailed;
    return outcome.waiting.length > 0 ? ExitCode.someUndecided : ExitCode.ok;
  }

  protected render({ outcome, ...changed }: Renewed): void {
    this.print(formatRenewed(changed, outcome));
  }
}
