import { hostname } from 'node:os';
import { Args, Flags } from '@oclif/core';
import { askNewSecret } from '../src/cli/ask-secret.ts';
import { BaseCommand } from '../src/cli/base-command.ts';
import { systemClock } from '../src/clock.ts';
import { FlotillaError } from '../src/error.ts';
import { isHost } from '../src/pki/host.ts';
import { minPassphraseBytes, readPassphraseFile } from '../src/pki/passphrase.ts';
import { type CreatedFleet, checkFleetTarget, createFleet } from '../src/provision/create-fleet.ts';
import { createFleetId } from '../src/provision/fleet-id.ts';

interface InitData {
  fleetId: string;
  dir: string;
  /** Absolute paths by what they are. */
  files: Record<string, string>;
  hosts: string[];
  port: number;
  rootKeyIsEncrypted: boolean;
  /** What to do next, in order. */
  next: { command?: string; text: string }[];
}

export default class Init extends BaseCommand<InitData> {
  static override description = `make a fleet: authorities, certificates, the signing key and coordinator.yaml

Nothing is ever overwritten. The root key is encrypted by a passphrase: asked for on a terminal, or taken from a file.`;

  static override examples = [
    `$ <%= config.bin %> <%= command.id %> harbour --name harbour --host fleet.example.org
Passphrase of the root key:
Passphrase of the root key, again:
Fleet harbour-k3f9x2 is made in /home/me/harbour

Next:
  Start the coordinator:
    cd /home/me/harbour && flotilla coordinator start
  Give a device its identity:
    flotilla cert sign device.csr
  Move the root key off this machine; daily work never needs it: /home/me/harbour/pki/root.key.enc`,
    '<%= config.bin %> <%= command.id %> harbour --passphrase-file root.pass --json',
    '<%= config.bin %> <%= command.id %> trial --no-passphrase --host 127.0.0.1 --port 0',
  ];

  static override args = {
    dir: Args.directory({ description: 'folder of the fleet; made when it does not exist', default: '.' }),
  };

  static override flags = {
    name: Flags.string({ description: "start of the fleet's id, for people", helpValue: 'NAME' }),
    host: Flags.string({
      description:
        "name or address in the coordinator's certificate, repeatable; by default this machine's name, localhost, 127.0.0.1 and ::1",
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'HOST',
    }),
    port: Flags.integer({
      description: 'where devices connect; 0 takes a free one',
      default: 7443,
      min: 0,
      max: 65_535,
    }),
    'passphrase-file': Flags.string({
      description: 'file whose first line encrypts the root key; mode 0600, or a pipe such as /dev/stdin',
      exclusive: ['no-passphrase'],
      helpValue: 'FILE',
    }),
    'no-passphrase': Flags.boolean({ description: 'leave the root key unencrypted (for trials and tests)' }),
  };

  protected async execute(): Promise<InitData> {
    const { args, flags } = await this.parse(Init);
    const hosts = flags.host ?? [hostname(), 'localhost', '127.0.0.1', '::1'].filter(isHost);
    if (args.dir === '') {
      throw new FlotillaError('usage', 'init-no-folder', 'the name of the folder is empty', {
        expected: 'a folder, or nothing at all for this one',
      });
    }
    await checkFleetTarget(args.dir);
    const fleet = await createFleet({
      directory: args.dir,
      fleetId: createFleetId(flags.name),
      hosts,
      port: flags.port,
      passphrase: flags['no-passphrase'] ? undefined : await this.passphrase(flags['passphrase-file']),
      nowMs: systemClock.nowMs(),
    });
    return {
      fleetId: fleet.fleetId,
      dir: fleet.directory,
      files: filesOf(fleet),
      hosts: [...new Set(hosts)],
      port: flags.port,
      rootKeyIsEncrypted: fleet.rootKeyIsEncrypted,
      next: nextSteps(fleet),
    };
  }

  protected render({ fleetId, dir, next }: InitData): void {
    this.print(`Fleet ${fleetId} is made in ${dir}\n\nNext:`);
    for (const { command, text } of next) this.print(command ? `  ${text}\n    ${command}` : `  ${text}`);
  }

  private async passphrase(file: string | undefined): Promise<string> {
    if (file !== undefined) return readPassphraseFile(file);
    if (process.stdin.isTTY && process.stderr.isTTY)
      return askNewSecret('Passphrase of the root key', minPassphraseBytes);
    throw new FlotillaError(
      'usage',
      'init-no-passphrase',
      'there is no terminal to ask for the passphrase of the root key',
      {
        suggestion: 'give --passphrase-file FILE, or --no-passphrase for a trial',
      },
    );
  }
}

function filesOf({ layout, rootKeyIsEncrypted }: CreatedFleet): Record<string, string> {
  const { rootKey, rootKeyEncrypted, pki: _pki, keys: _keys, run: _run, ...files } = layout;
  return { ...files, rootKey: rootKeyIsEncrypted ? rootKeyEncrypted : rootKey };
}

function nextSteps({ directory, layout, rootKeyIsEncrypted }: CreatedFleet): InitData['next'] {
  const key = rootKeyIsEncrypted ? layout.rootKeyEncrypted : layout.rootKey;
  return [
    { text: 'Start the coordinator:', command: `cd ${quote(directory)} && flotilla coordinator start` },
    { text: 'Give a device its identity:', command: 'flotilla cert sign device.csr' },
    { text: `Move the root key off this machine; daily work never needs it: ${key}` },
    ...(rootKeyIsEncrypted ? [] : [{ text: 'That key is not encrypted: do not build a real fleet on it.' }]),
  ];
}

/** For a shell, when the path needs it. */
function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
