import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { FlotillaError } from '../../src/error.ts';
import { createDeviceKeyAndCsr } from '../../src/pki/create-csr.ts';
import { renderAgentConfig } from '../../src/provision/render-agent-config.ts';

interface InitData {
  deviceId: string;
  dir: string;
  /** Absolute or as the folder was given, by what they are. */
  files: { key: string; csr: string; config: string };
  coordinator: { host: string; port: number };
  /** What to do next, in order. */
  next: string[];
}

export default class Init extends BaseCommand<InitData> {
  static override description = `make a device's key, certificate request and agent.yaml
The key is made here and stays here (mode 0600); only device.csr travels. Nothing is ever overwritten.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> meter-1 --id meter-1 --coordinator fleet.example.org:7443
meter-1/device.key    its private key; it never leaves this device
meter-1/device.csr    the request for its certificate
meter-1/agent.yaml    the agent's configuration

Next:
  flotilla cert sign meter-1/device.csr --out meter-1/device.crt --authority-out meter-1/authority.crt
  flotilla agent run --config meter-1/agent.yaml`,
    '<%= config.bin %> <%= command.id %> /etc/flotilla --id gw-007 --coordinator 10.0.0.1 --state /data/flotilla --json',
  ];
  static override args = {
    dir: Args.directory({ description: 'folder for the files; made when it does not exist', required: true }),
  };
  static override flags = {
    id: Flags.string({ description: 'device id: a-z, 0-9, dot, dash, underscore', required: true, helpValue: 'ID' }),
    coordinator: Flags.string({
      description: 'where the coordinator listens; port 7443 when none is given',
      required: true,
      helpValue: 'HOST[:PORT]',
    }),
    state: Flags.string({ description: "folder of the agent's database; on the data partition", helpValue: 'DIR' }),
  };

  protected async execute(): Promise<InitData> {
    const { args, flags } = await this.parse(Init);
    const coordinator = parseEndpoint(flags.coordinator);
    const { privateKeyPem, csrPem } = await createDeviceKeyAndCsr(flags.id); // refuses a bad id before any file exists
    const dir = args.dir;
    const files = { key: join(dir, 'device.key'), csr: join(dir, 'device.csr'), config: join(dir, 'agent.yaml') };
    await using places = new NewFiles();
    await places.folder(dir);
    await places.reserve(files.key, 0o600);
    await places.reserve(files.csr);
    await places.reserve(files.config);
    await places.fill(files.key, privateKeyPem);
    await places.fill(files.csr, csrPem);
    await places.fill(files.config, await renderAgentConfig({ ...coordinator, state: flags.state }));
    places.keep();
    return {
      deviceId: flags.id,
      dir,
      files,
      coordinator,
      next: [
        `flotilla cert sign ${join(dir, 'device.csr')} --out ${join(dir, 'device.crt')} --authority-out ${join(dir, 'authority.crt')}`,
        `flotilla agent run --config ${join(dir, 'agent.yaml')}`,
      ],
    };
  }

  protected render({ files, next }: InitData): void {
    const width = Math.max(files.key.length, files.csr.length, files.config.length) + 4;
    this.print(`${files.key.padEnd(width)}its private key; it never leaves this device`);
    this.print(`${files.csr.padEnd(width)}the request for its certificate`);
    this.print(`${files.config.padEnd(width)}the agent's configuration`);
    this.print(`\nNext:\n${next.map((line) => `  ${line}`).join('\n')}`);
  }
}

function parseEndpoint(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+))(?::([0-9]{1,5}))?$/.exec(text);
  const port = Number(match?.[3] ?? 7443);
  if (match && port >= 1 && port <= 65_535) return { host: match[1] ?? match[2]!, port };
  throw new FlotillaError('usage', 'agent-coordinator-invalid', 'this is no address of a coordinator', {
    seen: text,
    expected: 'HOST or HOST:PORT, an IPv6 address in brackets: [fd00::1]:7443',
  });
}
