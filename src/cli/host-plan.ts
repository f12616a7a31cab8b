/** From flags and a manifest to hosts with credentials. Everything is read and checked before the first connection. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { isDeviceId } from '../pki/profile.ts';
import { readSecretFile } from '../pki/secret-file.ts';
import {
  HostKeys,
  isEncryptedKey,
  meetHost,
  parseProvisionManifest,
  parseTarget,
  readPrivateKey,
  type HostEntry,
  type Place,
  type PrivateKey,
  type SshCredential,
  type SshTarget,
} from '../provision/index.ts';
import { askSecret } from './ask-secret.ts';
import { askLine } from './confirm.ts';
import type { SshFlagValues } from './provision-flag.ts';

export interface PlannedHost {
  entry: HostEntry;
  target: SshTarget;
  credential: SshCredential;
}

/** @throws FlotillaError or ConfigError with all that is wrong */
export async function planHosts(hosts: readonly string[], flags: SshFlagValues): Promise<PlannedHost[]> {
  const entries = await readEntries(hosts, flags);
  const secrets = new SecretShelf(flags['identity-passphrase-file']);
  const shared = await sharedCredential(flags, secrets);
  const sudoFile = flags['sudo-password-file'];
  const planned: PlannedHost[] = [];
  for (const entry of entries) {
    const credential = await credentialOf(entry, { shared, secrets, sudoFile });
    planned.push({ entry, target: targetOf(entry, flags), credential });
  }
  return planned;
}

/** With --ask-host-keys a person has answered for the unknown ones when this returns. */
export async function openHostKeys(flags: SshFlagValues, planned: readonly PlannedHost[]): Promise<HostKeys> {
  const own = join(homedir(), '.ssh', 'known_hosts');
  const named = flags['known-hosts'];
  const hostKeys = await HostKeys.load({
    files: ['/etc/ssh/ssh_known_hosts', own, ...(named === undefined ? [] : [named])],
    acceptNew: flags['accept-new-host-keys'],
  });
  if (!flags['ask-host-keys']) return hostKeys;
  requireTerminal('whether to trust a host key', 'pin the keys in the manifest, or put them into --known-hosts FILE');
  for (const { target, credential } of planned) await meetHost(target, { hostKeys, credential, confirm: askAboutKey });
  return hostKeys;
}

async function askAboutKey({ host, port }: Place, shown: string): Promise<boolean> {
  const place = port === 22 ? host : `${host}:${port}`;
  const question = `Nobody knows ${place}. It shows ${shown}\nIs that what ssh-keygen -lf prints on the device? Type yes to trust it: `;
  return (await askLine(question)) === 'yes';
}

function requireTerminal(what: string, suggestion: string): void {
  if (process.stdin.isTTY && process.stderr.isTTY) return;
  throw new FlotillaError('usage', 'terminal-missing', `there is no terminal to ask ${what}`, { suggestion });
}

async function readEntries(hosts: readonly string[], { manifest, id }: SshFlagValues): Promise<HostEntry[]> {
  if ((manifest === undefined) === (hosts.length === 0)) {
    throw new FlotillaError('usage', 'provision-hosts', 'say which hosts: their names, or --manifest FILE', {
      seen: manifest === undefined ? 'none' : 'both',
    });
  }
  if (manifest !== undefined) {
    if (id !== undefined)
      throw new FlotillaError('usage', 'provision-id', '--id is for one host; the manifest has its own');
    return parseProvisionManifest(await readManifestFile(manifest), manifest);
  }
  if (id !== undefined && hosts.length > 1) {
    throw new FlotillaError('usage', 'provision-id', '--id is for one host', { seen: `${hosts.length} hosts` });
  }
  const entries = hosts.map((host) => entryOf(host, id));
  const twice = entries.find(({ deviceId }, index) => entries.findIndex((one) => one.deviceId === deviceId) < index);
  if (twice === undefined) return entries;
  throw new FlotillaError('usage', 'provision-id', 'two hosts would be the same device', {
    seen: twice.deviceId,
    suggestion: 'a manifest gives each its id',
  });
}

function entryOf(text: string, id: string | undefined): HostEntry {
  const target = parseTarget(text);
  if (target === undefined) {
    throw new FlotillaError('usage', 'provision-host', 'this is no host', {
      seen: text,
      expected: '[USER@]HOST[:PORT]',
    });
  }
  const deviceId = id ?? target.host.split('.')[0]!.toLowerCase();
  if (!isDeviceId(deviceId) || (id === undefined && /^\d+$/.test(deviceId))) {
    throw new FlotillaError('usage', 'provision-id', 'the host has no name that is a device id', {
      seen: deviceId,
      expected: 'one to 63 of a-z 0-9 . _ - with a letter or digit first',
      suggestion: 'give --id, or a manifest',
    });
  }
  return {
    host: target.host,
    port: target.port ?? 0,
    user: target.user,
    deviceId,
    pending: false,
    tags: {},
    grains: {},
  };
}

function targetOf(entry: HostEntry, flags: SshFlagValues): SshTarget {
  const jump = entry.jump ?? flags.jump;
  const through = jump === undefined ? undefined : parseTarget(jump);
  if (jump !== undefined && through === undefined) {
    throw new FlotillaError('usage', 'provision-jump', 'this is no host to go through', {
      seen: jump,
      expected: 'USER@HOST:PORT',
    });
  }
  const user = entry.user ?? flags.user;
  return {
    host: entry.host,
    port: entry.port === 0 ? (flags.port ?? 22) : entry.port,
    user,
    ...(entry.hostKey === undefined ? {} : { hostKey: entry.hostKey }),
    ...(through === undefined
      ? {}
      : { jump: { host: through.host, port: through.port ?? 22, user: through.user ?? user } }),
  };
}

async function sharedCredential(flags: SshFlagValues, secrets: SecretShelf): Promise<SshCredential> {
  const agentSocket = process.env['SSH_AUTH_SOCK'];
  const passwordFile = flags['password-file'];
  const password =
    passwordFile !== undefined
      ? await secrets.line(passwordFile)
      : flags['ask-password']
        ? await askPassword()
        : undefined;
  const sudoFile = flags['sudo-password-file'];
  const sudoPassword = sudoFile === undefined ? password : await secrets.line(sudoFile);
  return {
    ...(flags.identity === undefined ? {} : { privateKey: await secrets.key(flags.identity) }),
    ...(agentSocket ? { agentSocket } : {}),
    ...(password === undefined ? {} : { password }),
    ...(sudoPassword === undefined ? {} : { sudoPassword }),
  };
}

async function askPassword(): Promise<string> {
  requireTerminal('for the password', 'give --password-file FILE');
  return askSecret('Password of the hosts');
}

async function credentialOf(
  entry: HostEntry,
  { shared, secrets, sudoFile }: { shared: SshCredential; secrets: SecretShelf; sudoFile: string | undefined },
): Promise<SshCredential> {
  const { identityFile, passwordFile, sudoPasswordFile = sudoFile } = entry;
  const password = passwordFile === undefined ? undefined : await secrets.line(passwordFile);
  const sudoPassword = sudoPasswordFile === undefined ? password : await secrets.line(sudoPasswordFile);
  return {
    ...shared,
    ...(identityFile === undefined ? {} : { privateKey: await secrets.key(identityFile) }),
    ...(password === undefined ? {} : { password }),
    ...(sudoPassword === undefined ? {} : { sudoPassword }),
  };
}

/** Each file is read once, and each key opened once, whatever the number of hosts. */
class SecretShelf {
  readonly #passphraseFile: string | undefined;
  readonly #texts = new Map<string, string>();
  readonly #keys = new Map<string, PrivateKey>();

  constructor(passphraseFile: string | undefined) {
    this.#passphraseFile = passphraseFile;
  }

  async line(file: string): Promise<string> {
    return (await this.#read(file)).split(/\r?\n/)[0]!;
  }

  async key(file: string): Promise<PrivateKey> {
    const known = this.#keys.get(file);
    if (known !== undefined) return known;
    const pem = await this.#read(file);
    const key = isEncryptedKey(pem) ? await this.#open(pem, file) : readPrivateKey(pem);
    this.#keys.set(file, key);
    return key;
  }

  /** By its passphrase, which is asked for up to three times where no file holds it. */
  async #open(pem: string, file: string): Promise<PrivateKey> {
    if (this.#passphraseFile !== undefined) return readPrivateKey(pem, await this.line(this.#passphraseFile));
    requireTerminal(`for the passphrase of ${file}`, 'give --identity-passphrase-file FILE, or load it into ssh-agent');
    for (let attempt = 1; ; attempt += 1) {
      const passphrase = await askSecret(`Passphrase of ${file}`);
      try {
        return readPrivateKey(pem, passphrase);
      } catch (error) {
        if (attempt === 3) throw error;
        process.stderr.write('That does not open it.\n');
      }
    }
  }

  async #read(file: string): Promise<string> {
    const known = this.#texts.get(file);
    if (known !== undefined) return known;
    const text = (await readSecretFile(file)).toString('utf8');
    this.#texts.set(file, text);
    return text;
  }
}

async function readManifestFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new FlotillaError('usage', 'file-unreadable', `${file} can't be read`, {
      seen: systemErrorCode(cause) ?? String(cause),
      expected: 'a manifest of hosts',
      cause,
    });
  }
}
