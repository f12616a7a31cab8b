import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openHostKeys, planHosts } from '../../src/cli/host-plan.ts';
import { runHostRows } from '../../src/cli/host-rows.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { sshFlags } from '../../src/cli/provision-flag.ts';
import { formatRemovedHost } from '../../src/cli/render/provision.ts';
import { writeReport } from '../../src/cli/write-report.ts';
import { removeHost, type RemovedHost } from '../../src/provision/index.ts';

interface Removed {
  hosts: RemovedHost[];
}

export default class Remove extends BaseCommand<Removed> {
  static override description = `take devices out of the fleet, and the agent off their hosts
Revokes the certificates, removes service, files, key and log from the host, and forgets the device. A host that can't be reached keeps its place: cut it off with flotilla cert revoke. Asks to type the id (of several hosts: their number), or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> root@10.0.0.7 --id meter-7 --yes
10.0.0.7 as meter-7: removed, 14 steps`,
    '<%= config.bin %> <%= command.id %> --manifest fleet.yaml --yes --json',
  ];
  static override strict = false;
  static override args = { host: Args.string({ description: '[USER@]HOST[:PORT]; as many as you like' }) };
  static override flags = { ...sshFlags, yes: Flags.boolean({ char: 'y', description: 'do not ask' }) };

  protected async execute(): Promise<Removed> {
    const { argv, flags } = await this.parse(Remove);
    const planned = await planHosts(argv as string[], flags);
    const client = await openClient(flags);
    await client.status(); // before anybody is asked: without the fleet nothing is removed
    const ids = planned.map(({ entry }) => entry.deviceId);
    await confirmTyped({
      warning: `the agent, its key and its log go away: ${ids.slice(0, 8).join(', ')}${ids.length > 8 ? ', …' : ''}`,
      answer: ids.length === 1 ? ids[0]! : String(ids.length),
      yes: flags.yes,
      json: this.json,
    });
    const context = { client, hostKeys: await openHostKeys(flags, planned), nowMs: () => Date.now() };
    const hosts = await runHostRows(planned, {
      parallel: flags.parallel,
      silent: this.json,
      title: ({ entry }) => `${entry.host} as ${entry.deviceId}`,
      run: ({ entry, target, credential }, say) =>
        removeHost(context, { target, credential, deviceId: entry.deviceId }, say),
      end: (removed) => ({ ok: removed.outcome !== 'failed', title: formatRemovedHost(removed) }),
    });
    if (flags.report !== undefined) await writeReport(flags.report, hosts, reportColumns);
    return { hosts };
  }

  protected render({ hosts }: Removed): void {
    for (const removed of hosts) this.print(formatRemovedHost(removed));
  }

  protected override exitCode({ hosts }: Removed): ExitCode {
    return hosts.some(({ outcome }) => outcome === 'failed') ? ExitCode.someFailed : ExitCode.ok;
  }
}

const reportColumns = [
  ['host', ({ host }: RemovedHost) => host],
  ['device', ({ deviceId }: RemovedHost) => deviceId],
  ['outcome', ({ outcome }: RemovedHost) => outcome],
  ['changes', ({ changes }: RemovedHost) => changes],
  ['code', ({ error }: RemovedHost) => error?.code],
  ['message', ({ error }: RemovedHost) => error?.message],
] as const;
