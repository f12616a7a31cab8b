import { Args, Flags } from '@oclif/core';
import { agentOrderExitCode } from '../../src/cli/agent-order-exit-code.ts';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatAgentOrder, formatAgentOutcome, formatAgentOutcomes } from '../../src/cli/render/agent-order.ts';
import { sendConfirmed } from '../../src/cli/send-confirmed.ts';
import { waitAgentUpdate, type AgentOutcome } from '../../src/cli/wait-agent-update.ts';
import type { AgentsUpdated } from '../../src/client/contract/index.ts';

/** `outcomes`: of those that were offered it, where they were waited for. */
type Updated = AgentsUpdated & { outcomes?: AgentOutcome[] };

export default class UpdateAgent extends BaseCommand<Updated> {
  static override description = `offer devices another version of their agent
The release is one of the product flotilla-agent: \`agent bundle\` makes it, \`release publish\` puts it here. Each device fetches it, checks its signature, and tries it: a new agent that does not start, does not open its database or does not reach the coordinator in time is left by itself, and the one before comes back; that bundle is then refused until \`device allow-bundle\`. The machine is not restarted, and running jobs are waited for. An offer that still waits for its device is replaced by a newer one.

This command ends when the offer is on its way; with --wait, when each device has it, or has failed to. Ctrl-C leaves, the devices go on. How it ended: \`device show\` (agentUpdate), and with what proves it \`device history --source agent\`.

Exit codes: 0 every device that matched is offered it or has it, with --wait has it; 2 no such release; 3 none matched; 4 some are not offered it (the reason stands beside each), went back or failed; 5 with --wait, some did not come to an end in time, or their offer expired; 6 refused by a safety rule; 7 no coordinator; 130 left by Ctrl-C.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour' flotilla-agent/0.2.0
gw-001: offered
gw-002: offered when it comes
gw-003: not offered: it went back from this very bundle (device allow-bundle)
update a-01j9, flotilla-agent/0.2.0/stable: 2 of 3 devices`,
    "<%= config.bin %> <%= command.id %> 'I@ring:canary' flotilla-agent/0.2.0 --wait --timeout 10m",
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
    wait: Flags.boolean({
      description: 'until each device that is offered it has it, or has failed to',
      exclusive: ['dry-run'],
    }),
    timeout: Flags.string({
      description: 'how long --wait waits; devices that are away may never come',
      default: '15m',
      helpValue: 'DURATION',
    }),
    'dry-run': Flags.boolean({ description: 'say what would be offered to whom, and send nothing' }),
  };

  #detached = false;

  protected async execute(): Promise<Updated> {
    const { args, flags } = await this.parse(UpdateAgent);
    const { max, yes } = flags;
    const expiresInSeconds = Math.round(parseDuration(flags.expires, '--expires'));
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    const client = await openClient(flags);
    const order = await sendConfirmed({
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
    if (!this.json) this.print(formatAgentOrder(order));
    const { updateId } = order;
    if (!flags.wait || updateId === undefined) return order;
    const offered = order.devices.filter(({ state }) => state === 'sent' || state === 'waiting');
    const which = { updateId, deviceIds: offered.map(({ deviceId }) => deviceId) };
    const onChange = (outcome: AgentOutcome) => {
      if (!this.json) this.print(formatAgentOutcome(outcome));
    };
    const outcomes = await waitAgentUpdate(client, which, { timeoutMs, onChange });
    if (outcomes !== undefined) return { ...order, outcomes };
    this.#detached = true;
    this.note('\ndetached; the devices go on. Look again with: flotilla device history DEVICE --source agent');
    return order;
  }

  protected render({ outcomes }: Updated): void {
    if (outcomes !== undefined) this.print(formatAgentOutcomes(outcomes));
  }

  protected override exitCode(done: Updated): ExitCode {
    return this.#detached ? ExitCode.interrupted : agentOrderExitCode(done);
  }
}
