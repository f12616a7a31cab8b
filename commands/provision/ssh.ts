import { Args, Flags } from '@oclif/core';
import { hostname, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openHostKeys, planHosts } from '../../src/cli/host-plan.ts';
import { runHostRows } from '../../src/cli/host-rows.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { sshFlags } from '../../src/cli/provision-flag.ts';
import { createSetting, settingFlags } from '../../src/cli/provision-setting.ts';
import { formatHostReport } from '../../src/cli/render/provision.ts';
import { writeReport } from '../../src/cli/write-report.ts';
import { findAgentFile, Parcel, parcelFolder, provisionHost, type HostReport } from '../../src/provision/index.ts';

interface Provisioned {
  hosts: HostReport[];
}

export default class Ssh extends BaseCommand<Provisioned> {
  static override description = `make machines devices of the fleet, over ssh
Puts the agent on each (with a Node where none is new enough), makes its key there, signs the request, installs the service, and waits until the coordinator sees the device with its grains. A second time nothing is changed. What fails is undone: on the host, and in the fleet; a host that loses its line undoes it by itself. Host keys have to be known (~/.ssh/known_hosts, --known-hosts) or pinned in the manifest.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> root@10.0.0.7 --id meter-7 --coordinator fleet.example.org
10.0.0.7 as meter-7: provisioned, 19 steps, connected (14s)`,
    '<%= config.bin %> <%= command.id %> --manifest fleet.yaml --coordinator fleet.example.org:7443 --report day.csv',
    '<%= config.bin %> <%= command.id %> meter-7.lan -J gate@site.example.org --ask-password --accept-new-host-keys --coordinator 10.0.0.1',
  ];
  static override strict = false;
  static override args = { host: Args.string({ description: '[USER@]HOST[:PORT]; as many as you like' }) };
  static override flags = {
    ...settingFlags,
    ...sshFlags,
    pending: Flags.boolean({ description: 'the devices wait for `device accept`' }),
    runtime: Flags.file({ description: 'Node to bring along, instead of the one found', helpValue: 'FILE' }),
    'connect-timeout': Flags.string({
      description: 'how long a device may take to reach the coordinator',
      default: '1m',
      helpValue: 'TIME',
    }),
  };

  protected async execute(): Promise<Provisioned> {
    const { argv, flags } = await this.parse(Ssh);
    const reconnectMs = parseDuration(flags.reconnect, '--reconnect') * 1000;
    const connectMs = parseDuration(flags['connect-timeout'], '--connect-timeout') * 1000;
    const planned = await planHosts(argv as string[], flags);
    const client = await openClient(flags);
    const status = await client.status();
    await using folder = await parcelFolder();
    const agent = await Parcel.pack(await findAgentFile(), folder.path);
    const setting = await createSetting(flags, { status, agentSha256: agent.sha256 });
    const runtimes = new Map<string, Promise<Parcel>>();
    const context = {
      client,
      hostKeys: await openHostKeys(flags, planned),
      agent,
      runtime(file: string): Promise<Parcel> {
        const packing = runtimes.get(file) ?? Parcel.pack(file, folder.path);
        runtimes.set(file, packing);
        return packing;
      },
      ...(flags.runtime === undefined ? {} : { runtimeFile: flags.runtime }),
      who: `${userInfo().username}@${hostname()}`,
      reconnectMs,
      connectMs,
      sleep: (ms: number) => sleep(ms),
      nowMs: () => Date.now(),
    };
    const hosts = await runHostRows(planned, {
      parallel: flags.parallel,
      silent: this.json,
      title: ({ entry }) => `${entry.host} as ${entry.deviceId}`,
      run: ({ entry, target, credential }, say) =>
        provisionHost(
          context,
          {
            target,
            credential,
            wanted: setting(entry),
            tags: entry.tags,
            pending: flags.pending || entry.pending,
          },
          say,
        ),
      end: (report) => ({ ok: report.outcome !== 'failed', title: formatHostReport(report) }),
    });
    if (flags.report !== undefined) await writeReport(flags.report, hosts, reportColumns);
    return { hosts };
  }

  protected render({ hosts }: Provisioned): void {
    for (const report of hosts) this.print(formatHostReport(report));
    const failed = hosts.filter(({ outcome }) => outcome === 'failed').length;
    this.print(`${hosts.length - failed} of ${hosts.length} hosts are devices of the fleet`);
  }

  protected override exitCode({ hosts }: Provisioned): ExitCode {
    return hosts.some(({ outcome }) => outcome === 'failed') ? ExitCode.someFailed : ExitCode.ok;
  }
}

const reportColumns = [
  ['host', ({ host }: HostReport) => host],
  ['device', ({ deviceId }: HostReport) => deviceId],
  ['outcome', ({ outcome }: HostReport) => outcome],
  ['changes', ({ changes }: HostReport) => changes],
  ['seconds', ({ durationMs }: HostReport) => Math.round(durationMs / 100) / 10],
  ['code', ({ error }: HostReport) => error?.code],
  ['message', ({ error }: HostReport) => error?.message],
  ['seen', ({ error }: HostReport) => error?.seen],
  ['left', ({ left }: HostReport) => left],
] as const;
