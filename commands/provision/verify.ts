import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { openHostKeys, planHosts } from '../../src/cli/host-plan.ts';
import { runHostRows } from '../../src/cli/host-rows.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { sshFlags } from '../../src/cli/provision-flag.ts';
import { createSetting, settingFlags } from '../../src/cli/provision-setting.ts';
import { formatHostCheck } from '../../src/cli/render/provision.ts';
import { writeReport } from '../../src/cli/write-report.ts';
import { findAgentFile, Parcel, parcelFolder, verifyHost, type HostCheck } from '../../src/provision/index.ts';

interface Verified {
  hosts: HostCheck[];
}

export default class Verify extends BaseCommand<Verified> {
  static override description = `compare what is on hosts with what should be; changes nothing
Files, runtime, service, identity, how the fleet sees the device, tags, clock. Exit code 4 when something differs.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> root@10.0.0.7 --id meter-7 --coordinator fleet.example.org
10.0.0.7 as meter-7: 1 differences
  service flotilla-agent: not active, expected active`,
    '<%= config.bin %> <%= command.id %> --manifest fleet.yaml --coordinator fleet.example.org --json',
  ];
  static override strict = false;
  static override args = { host: Args.string({ description: '[USER@]HOST[:PORT]; as many as you like' }) };
  static override flags = { ...settingFlags, ...sshFlags };

  protected async execute(): Promise<Verified> {
    const { argv, flags } = await this.parse(Verify);
    const planned = await planHosts(argv as string[], flags);
    const client = await openClient(flags);
    const status = await client.status();
    await using folder = await parcelFolder();
    const agent = await Parcel.pack(await findAgentFile(), folder.path);
    const setting = await createSetting(flags, { status, agentSha256: agent.sha256 });
    const context = { client, hostKeys: await openHostKeys(flags, planned), nowMs: () => Date.now() };
    const hosts = await runHostRows(planned, {
      parallel: flags.parallel,
      silent: this.json,
      title: ({ entry }) => `${entry.host} as ${entry.deviceId}`,
      run: ({ entry, target, credential }) =>
        verifyHost(context, { target, credential, wanted: setting(entry), tags: entry.tags }),
      end: (check) => ({ ok: check.outcome === 'as-it-should-be', title: formatHostCheck(check).split('\n')[0]! }),
    });
    if (flags.report !== undefined) await writeReport(flags.report, hosts, reportColumns);
    return { hosts };
  }

  protected render({ hosts }: Verified): void {
    for (const check of hosts) this.print(formatHostCheck(check));
  }

  protected override exitCode({ hosts }: Verified): ExitCode {
    return hosts.every(({ outcome }) => outcome === 'as-it-should-be') ? ExitCode.ok : ExitCode.someFailed;
  }
}

const reportColumns = [
  ['host', ({ host }: HostCheck) => host],
  ['device', ({ deviceId }: HostCheck) => deviceId],
  ['outcome', ({ outcome }: HostCheck) => outcome],
  ['differences', ({ differences }: HostCheck) => differences.map(({ what }) => what).join('; ')],
  ['code', ({ error }: HostCheck) => error?.code],
  ['message', ({ error }: HostCheck) => error?.message],
] as const;
