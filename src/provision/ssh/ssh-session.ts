/** One authenticated connection to a host: runs lines of shell, as the user or as root, and streams bytes into files. */
import type { Readable } from 'node:stream';
import { Client, type ClientChannel, type ConnectConfig } from 'ssh2';
import { FlotillaError } from '../../error.ts';
import type { HostKeys, Place } from './host-key.ts';
import { shellQuote } from './shell-quote.ts';

export interface SshTarget extends Place {
  user: string;
  /** Through these, in order. */
  jump?: SshTarget;
}

/** How this target may be convinced. Tried in this order: agent, key, password. */
export interface SshCredential {
  agentSocket?: string;
  privateKey?: { pem: string; passphrase?: string };
  password?: string;
  /** For `sudo -S`; without it only `sudo -n` is tried. */
  sudoPassword?: string;
}

export interface SshRan {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface SshRunOption {
  input?: string | Uint8Array | Readable;
  timeoutMs?: number;
}

const readyTimeoutMs = 20_000;
/** A dead line is found after three of them without an answer. */
const keepaliveMs = 5_000;
const keepaliveCount = 3;
const maxOutputBytes = 4 * 1024 * 1024;
const defaultTimeoutMs = 120_000;

export class SshSession implements AsyncDisposable {
  readonly #client: Client;
  readonly #target: SshTarget;
  readonly #credential: SshCredential;
  readonly #jump: SshSession | undefined;
  readonly #lost = Promise.withResolvers<never>();
  #isRoot: boolean | undefined;

  private constructor(target: SshTarget, credential: SshCredential, client: Client, jump: SshSession | undefined) {
    this.#target = target;
    this.#credential = credential;
    this.#client = client;
    this.#jump = jump;
    this.#lost.promise.catch(() => undefined);
    client.on('error', (error) => this.#lost.reject(lost(target, error)));
    client.on('close', () => this.#lost.reject(lost(target)));
  }

  /** @throws FlotillaError `ssh-unreachable`, `ssh-auth-failed`, or what HostKeys says */
  static async open(
    target: SshTarget,
    option: { credential: SshCredential; jumpCredential?: SshCredential; hostKeys: HostKeys },
  ): Promise<SshSession> {
    const { credential, hostKeys } = option;
    const jump =
      target.jump === undefined
        ? undefined
        : await SshSession.open(target.jump, { ...option, credential: option.jumpCredential ?? credential });
    try {
      const sock = jump === undefined ? undefined : await jump.#forward(target);
      const client = await connect(target, { credential, hostKeys, ...(sock === undefined ? {} : { sock }) });
      return new SshSession(target, credential, client, jump);
    } catch (error) {
      await jump?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A line of shell as the user who has logged in. Never throws for its exit code. @throws `ssh-lost`, `ssh-timeout` */
  run(line: string, option: SshRunOption = {}): Promise<SshRan> {
    return Promise.race([this.#lost.promise, this.#exec(line, option)]);
  }

  /** A line of shell as root, by sudo where the user is another. @throws also `ssh-not-root` */
  async runAsRoot(line: string, option: SshRunOption = {}): Promise<SshRan> {
    if (await this.#userIsRoot()) return this.run(line, option);
    const { sudoPassword } = this.#credential;
    if (sudoPassword === undefined) return this.run(shellQuote(['sudo', '-n', '--', 'sh', '-c', line]), option);
    // The password is the first line that sudo reads; what follows is the program's.
    const { input = '' } = option;
    if (typeof input !== 'string') throw new FlotillaError('ours', 'ssh-sudo-input', 'bytes can not follow a password');
    const quoted = shellQuote(['sudo', '-S', '-p', '', '--', 'sh', '-c', line]);
    return this.run(quoted, { ...option, input: `${sudoPassword}\n${input}` });
  }

  async #userIsRoot(): Promise<boolean> {
    if (this.#isRoot !== undefined) return this.#isRoot;
    this.#isRoot = (await this.run('id -u')).stdout.trim() === '0';
    if (this.#isRoot) return true;
    const { sudoPassword } = this.#credential;
    const test =
      sudoPassword === undefined
        ? await this.run('sudo -n true')
        : await this.run(`sudo -S -p '' true`, { input: `${sudoPassword}\n` });
    if (test.exitCode === 0) return false;
    this.#isRoot = undefined;
    const { user, host } = this.#target;
    throw new FlotillaError('forbidden', 'ssh-not-root', `${user} may not become root on ${host}`, {
      seen: test.stderr.trim().split('\n').at(-1)?.slice(0, 200) || `sudo ended with ${test.exitCode}`,
      expected: 'root, or a user whom sudo lets in',
      suggestion: 'log in as root, or give --sudo-password-file',
    });
  }

  async #exec(line: string, { input, timeoutMs = defaultTimeoutMs }: SshRunOption): Promise<SshRan> {
    const channel = await this.#channel(line);
    const tooLong = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      channel.close();
      tooLong.reject(timedOut(this.#target, line, timeoutMs));
    }, timeoutMs);
    try {
      const ran = collect(channel);
      if (input === undefined) channel.end();
      else if (typeof input === 'string' || input instanceof Uint8Array) channel.end(Buffer.from(input));
      else input.on('error', () => channel.destroy()).pipe(channel);
      return await Promise.race([ran, tooLong.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #channel(line: string): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      this.#client.exec(line, (error, channel) => {
        if (error === undefined) resolve(channel);
        else reject(lost(this.#target, error));
      });
    });
  }

  #forward({ host, port }: SshTarget): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      this.#client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
        if (error === undefined) resolve(channel);
        else reject(unreachable({ host, port }, `through ${this.#target.host}: ${error.message}`));
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.end();
    this.#client.destroy();
    await this.#jump?.[Symbol.asyncDispose]();
  }
}

function connect(
  target: SshTarget,
  { credential, hostKeys, sock }: { credential: SshCredential; hostKeys: HostKeys; sock?: ClientChannel },
): Promise<Client> {
  const { host, port, user } = target;
  const { agentSocket, privateKey, password } = credential;
  const algorithms = hostKeys.algorithms(target);
  return new Promise((resolve, reject) => {
    const client = new Client();
    let verdict: unknown;
    const judge = async (key: Buffer, done: (good: boolean) => void): Promise<void> => {
      try {
        await hostKeys.verify(target, key);
      } catch (error) {
        verdict = error;
      }
      done(verdict === undefined);
    };
    const config: ConnectConfig = {
      host,
      port,
      username: user,
      readyTimeout: readyTimeoutMs,
      keepaliveInterval: keepaliveMs,
      keepaliveCountMax: keepaliveCount,
      tryKeyboard: password !== undefined,
      hostVerifier: (key: Buffer, done: (good: boolean) => void) => void judge(key, done),
      ...(algorithms.length === 0 ? {} : { algorithms: { serverHostKey: algorithms as never } }),
      ...(sock === undefined ? {} : { sock }),
      ...(agentSocket === undefined ? {} : { agent: agentSocket }),
      ...(privateKey === undefined ? {} : { privateKey: privateKey.pem }),
      ...(privateKey?.passphrase === undefined ? {} : { passphrase: privateKey.passphrase }),
      ...(password === undefined ? {} : { password }),
    };
    client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) => {
      finish(prompts.map(() => password ?? ''));
    });
    client.once('ready', () => {
      client.removeAllListeners('error');
      resolve(client);
    });
    client.once('error', (error: Error & { level?: string }) => {
      client.on('error', () => undefined); // what follows the first says nothing new
      client.destroy();
      if (verdict !== undefined) reject(verdict);
      else if (error.level === 'client-authentication') reject(unauthenticated(target, credential));
      else reject(unreachable(target, error.message, error));
    });
    try {
      client.connect(config);
    } catch (cause) {
      // A private key that can't be read is thrown here.
      reject(
        new FlotillaError('usage', 'ssh-key-unreadable', 'the private key can not be used', {
          seen: cause instanceof Error ? cause.message : String(cause),
          suggestion: 'check the key file and its passphrase',
          cause,
        }),
      );
    }
  });
}

function collect(channel: ClientChannel): Promise<SshRan> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const error: Buffer[] = [];
    let size = 0;
    const take = (chunks: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxOutputBytes) chunks.push(chunk);
    };
    let exitCode = -1;
    channel.on('data', take(out));
    channel.stderr.on('data', take(error));
    channel.on('error', reject);
    channel.on('exit', (code: number | null) => (exitCode = code ?? -1));
    channel.on('close', () =>
      resolve({ exitCode, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(error).toString('utf8') }),
    );
  });
}

function unauthenticated({ user, host }: SshTarget, credential: SshCredential): FlotillaError {
  const tried = [
    ...(credential.agentSocket === undefined ? [] : ['the ssh agent']),
    ...(credential.privateKey === undefined ? [] : ['a private key']),
    ...(credential.password === undefined ? [] : ['a password']),
  ];
  return new FlotillaError('forbidden', 'ssh-auth-failed', `${host} does not let ${user} in`, {
    seen: tried.length === 0 ? 'nothing to show' : `it refused ${tried.join(', ')}`,
    suggestion: 'check the user, and --identity, --password-file or SSH_AUTH_SOCK',
  });
}

function unreachable({ host, port }: Place, seen: string, cause?: unknown): FlotillaError {
  return new FlotillaError('unreachable', 'ssh-unreachable', `no ssh at ${host}:${port}`, {
    seen,
    suggestion: 'check the address, the network, and that sshd runs there',
    ...(cause === undefined ? {} : { cause }),
  });
}

function lost({ host }: SshTarget, cause?: Error): FlotillaError {
  return new FlotillaError('unreachable', 'ssh-lost', `the connection to ${host} broke`, {
    seen: cause?.message ?? 'it was closed',
    ...(cause === undefined ? {} : { cause }),
  });
}

function timedOut({ host }: SshTarget, line: string, timeoutMs: number): FlotillaError {
  return new FlotillaError('undecided', 'ssh-timeout', `${host} did not end a command in time`, {
    seen: `${Math.round(timeoutMs / 1000)} s: ${line.slice(0, 120)}`,
  });
}
