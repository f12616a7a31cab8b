import { setTimeout as sleep } from 'node:timers/promises';
import { hostname } from 'node:os';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { formatAge } from '../../src/cli/human.ts';
import { enrollFolder, parseEnrollmentToken, type EnrolledFolder } from '../../src/enrollment/index.ts';
import { validateHardwareSerial } from '../../src/pki/create-csr.ts';
import { readSecretFile } from '../../src/pki/secret-file.ts';
import { renderAgentConfig } from '../../src/provision/render-agent-config.ts';

type Data = EnrolledFolder & { deviceId: string; next: string };

export default class Enroll extends BaseCommand<Data> {
  static override description = `get this device's certificate with an enrollment token
Makes the key here (0600; it never leaves), asks the coordinator, and writes device.crt, authority.crt and agent.yaml. The answer must fit the key and chain to the authority in the token. Repeating it is safe: after a lost answer the same certificate comes, and a folder that is enrolled is left alone.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> /etc/flotilla --id meter-1 --token-file meters.token
meter-1 is enrolled; its certificate ends in 365d
wrote /etc/flotilla/device.key, /etc/flotilla/authority.crt, /etc/flotilla/device.crt, /etc/flotilla/agent.yaml

Next:
  flotilla agent run --config /etc/flotilla/agent.yaml`,
    'cat meters.token | <%= config.bin %> <%= command.id %> /etc/flotilla --token-file /dev/stdin --serial SN-0001',
  ];
  static override args = { dir: Args.directory({ description: 'folder for the files', required: true }) };
  static override flags = {
    'token-file': Flags.string({
      description: 'file with the token; a plain file must be readable by its owner alone',
      required: true,
      helpValue: 'FILE',
    }),
    id: Flags.string({ description: 'device id; the host name by default', helpValue: 'ID' }),
    serial: Flags.string({ description: 'serial number of the hardware, for the manifest', helpValue: 'TEXT' }),
    state: Flags.string({ description: "folder of the agent's database; on the data partition", helpValue: 'DIR' }),
    wait: Flags.string({ description: 'how long to wait for a decision', default: '5m', helpValue: 'TIME' }),
  };

  protected async execute(): Promise<Data> {
    const { args, flags } = await this.parse(Enroll);
    const token = parseEnrollmentToken((await readSecretFile(flags['token-file'])).toString('utf8'));
    const deviceId = flags.id ?? hostname().toLowerCase().split('.')[0]!;
    if (flags.serial !== undefined) validateHardwareSerial(flags.serial);
    const enrolled = await enrollFolder({
      dir: args.dir,
      deviceId,
      hardwareSerial: flags.serial,
      token,
      renderConfig: (link) => renderAgentConfig({ ...link, state: flags.state }),
      waitMs: parseDuration(flags.wait, '--wait') * 1000,
      onWait: (seconds) => this.note(`not decided yet; asking again in ${seconds} s`),
      sleep: (ms) => sleep(ms),
    });
    return { ...enrolled, deviceId, next: `flotilla agent run --config ${enrolled.files.config}` };
  }

  protected render({ deviceId, notAfterMs, written, next }: Data): void {
    const ends = formatAge(notAfterMs, Date.now());
    if (written.length === 0) this.print(`${deviceId} is enrolled already; its certificate ends ${ends}`);
    else this.print(`${deviceId} is enrolled; its certificate ends ${ends}\nwrote ${written.join(', ')}`);
    this.print(`\nNext:\n  ${next}`);
  }
}
