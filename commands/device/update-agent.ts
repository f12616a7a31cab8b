import { Args, Flags } from '@oclif/core';
import { agentOrderExitCode } from '../../src/cli/agent-order-exit-code.ts';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import type { ExitCode } from '../../src/cli/exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatAgentOrder } from '../../src/cli/render/agent-order.ts';
import { sendConfirmed } from '../../src/cli/send-confirmed.ts';
import type { AgentsUpdated } from '../../src/client/contract/index.ts';

export default class UpdateAgent extends BaseCommand<AgentsUpdated> {
  static override description = `offer devices another version of their agent
The release is one of the product flotilla-agent: \`agent bundle\` makes it, \`release publish\` puts it here. Each device fetches it, checks its signature, and tries it: a new agent that does not start, does not open its database or does not reach the coordinator in time is left by itself, and the one before comes back; that bundle is then refused until \`device allow-bundle\`. The machine is not restarted, and running jobs are waited for.

This command ends when the offer is on its way. How it ended: \`device show\` (agentUpdate), and with what proves it \`device history --source agent\`.

Exit codes: 0 every device that matched is offered it or has it, 2 no such release, 3 none matched, 4 some are not offered it (the reason stands beside each), 6 refused by a safety rule.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour' flotilla-agent/0.2.0
gw-001: offered
gw-002: offered when it comes
gw-003: not offered: it went back from this very bundle (device allow-bundle)
update a-01j9, flotilla-agent/0.2.0/stable: 2 of 3 devices`,
    "<%= config.bin %> <%= command.id %> '*' flotilla-agent/0.2.0 --dry-run --json",
    "<%= config.bin %> <%= command.id %> 'I@ring:canary' flotilla-agent/0.2.0/beta --expect 12 --yes",
  ];
  static override args = {
    selector: Args.string({ description: 'which devices', required: true }),
    release: Args.string({
      description: 'product/version/channel; product/version means the stable channel',
      required: true,
    }),
  };
  static override flags = {
    max: Flags.integer({ description: 'refuse when more devices match', min: 1 }),
    expect: Flags.integer({ description: 'refuse unless exactly this many devices match', min: 0 }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask; only together with --expect' }),
    expires: Flags.string({
      description: 'how long a device that is away may take to come for it',
      default: '7d',
      helpValue: 'DURATION',
    }),
    'dry-run': Flags.boolean({ description: 'say what would be offered to whom, and send nothing' }),
  };

  protected async execute(): Promise<AgentsUpdated> {
    const { args, flags } = await this.parse(UpdateAgent);
    const { max, yes } = flags;
    const expiresInSeconds = Math.round(parseDuration(flags.expires, '--expires'));
    const client = await openClient(flags);
    return sendConfirmed({
      send: (expect) =>
        client.updateAgents({
          ...args,
          expiresInSeconds,
          dryRun: flags['dry-run'],
          ...defined({ max, expect }),
        }),
      expect: flags.expect,
      yes,
      json: this.json,
    });
  }

  protected render(done: AgentsUpdated): void {
    this.print(formatAgentOrder(done));
  }

  protected override exitCode(done: AgentsUpdated): ExitCode {
    return agentOrderExitCode(done);
  }
}
