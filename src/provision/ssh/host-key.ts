/** Which host keys are believed: pinned ones, known ones, and a new one only when that was asked for. */
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { algorithmOf, formatKnownHost, knownHostName, parseKnownHosts, type KnownHost } from './known-hosts.ts';

export interface HostKeyOption {
  /** In this order; the last one is written to. None of them has to exist. */
  files: readonly string[];
  /** Take and write down the key of a host that nobody knows: trust on first use. */
  acceptNew: boolean;
}

export interface Place {
  host: string;
  port: number;
  /** `SHA256:…` as ssh-keygen -lf prints it: this key and no other. */
  hostKey?: string;
}

export class HostKeys {
  readonly #option: HostKeyOption;
  readonly #known: KnownHost[];
  /** One write after another. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(option: HostKeyOption, known: KnownHost[]) {
    this.#option = option;
    this.#known = known;
  }

  static async load(option: HostKeyOption): Promise<HostKeys> {
    const texts = await Promise.all(option.files.map(readIfThere));
    return new HostKeys(option, texts.flatMap(parseKnownHosts));
  }

  /** Algorithms whose keys are known of this host: only those are asked for, or another good key would look like a fraud. */
  algorithms({ host, port, hostKey }: Place): string[] {
    if (hostKey !== undefined) return [];
    return [...new Set(this.#of(host, port).map(({ algorithm }) => algorithm))].flatMap((algorithm) =>
      algorithm === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [algorithm],
    );
  }

  /** @throws FlotillaError `ssh-host-key-changed`, `ssh-host-key-revoked`, `ssh-host-key-unknown` */
  async verify(place: Place, key: Uint8Array): Promise<void> {
    const { host, port, hostKey } = place;
    const shown = fingerprintOf(key);
    if (hostKey !== undefined) {
      if (normalize(hostKey) === shown) return;
      throw changed(place, shown, hostKey);
    }
    const base64 = Buffer.from(key).toString('base64');
    const known = this.#of(host, port);
    if (known.some((one) => one.revoked && one.keyBase64 === base64)) {
      throw new FlotillaError('refused', 'ssh-host-key-revoked', `the key of ${host} is marked as revoked`, {
        seen: shown,
        suggestion: 'do not connect; find out who answers there',
      });
    }
    const good = known.filter(({ revoked }) => !revoked);
    if (good.some(({ keyBase64 }) => keyBase64 === base64)) return;
    if (good.length > 0) {
      throw changed(place, shown, good.map((one) => fingerprintOf(Buffer.from(one.keyBase64, 'base64'))).join(', '));
    }
    if (!this.#option.acceptNew) {
      throw new FlotillaError('refused', 'ssh-host-key-unknown', `nobody knows the key of ${host}`, {
        seen: describeKey(key),
        expected: `a key in ${this.#option.files.join(' or ')}, or pinned in the manifest (hostKey)`,
        suggestion: 'compare it with what ssh-keygen -lf prints on the device; then pin it, or --ask-host-keys',
      });
    }
    await this.#remember(place, key);
  }

  /** A key of it is pinned or known: there is nothing to ask a person. */
  isSettled({ host, port, hostKey }: Place): boolean {
    return hostKey !== undefined || this.#of(host, port).length > 0;
  }

  /** Writes down a key that a person believes. */
  accept(place: Place, key: Uint8Array): Promise<void> {
    return this.#remember(place, key);
  }

  #of(host: string, port: number): KnownHost[] {
    const name = knownHostName(host, port);
    return this.#known.filter((one) => one.matches(name));
  }

  #remember({ host, port }: Place, key: Uint8Array): Promise<void> {
    const file = this.#option.files.at(-1)!;
    const line = formatKnownHost(knownHostName(host, port), key);
    const done = this.#last.then(() => this.#write(file, line));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #write(file: string, line: string): Promise<void> {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await appendFile(file, line, { mode: 0o600 });
    this.#known.push(...parseKnownHosts(line));
  }
}

/** `SHA256:…` without padding, as OpenSSH prints it. */
export function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** For a person to compare. */
export function describeKey(key: Uint8Array): string {
  return `${algorithmOf(key)} ${fingerprintOf(key)}`;
}

export function isFingerprint(text: string): boolean {
  return /^(SHA256:)?[A-Za-z0-9+/]{43}=?$/.test(text);
}

const normalize = (text: string): string => `SHA256:${text.replace(/^SHA256:/, '').replace(/=+$/, '')}`;

function changed({ host }: Place, seen: string, expected: string): FlotillaError {
  return new FlotillaError('refused', 'ssh-host-key-changed', `${host} shows another key than the one that is known`, {
    seen,
    expected,
    suggestion: 'somebody else may answer there. Only when the host was set up anew: remove its line from known_hosts',
  });
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  }
}
