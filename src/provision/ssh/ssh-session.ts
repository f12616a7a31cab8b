/** One authenticated connection to a host: runs lines of shell, as the user or as root, and streams bytes into files. */
import type { Readable } from 'node:stream';
import { Client, type AnyAuthMethod, type ClientChannel, type ConnectConfig } from 'ssh2';
import { FlotillaError } from '../../error.ts';
import type { HostKeys, Place } from './host-key.ts';
import type { PrivateKey } from './private-key.ts';
import { shellQuote } from './shell-quote.ts';

export interface SshTarget extends Place {
  user: string;
  /** Through these, in order. */
  jump?: SshTarget;
}

/** How this target may be convinced. Tried in this order: a host gives up after a few attempts, and an agent may hold many keys. */
export interface SshCredential {
  privateKey?: PrivateKey;
  agentSocket?: string;
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
    const { jump, sock } = await SshSession.#through(target, option);
    try {
      const verify = (key: Buffer) => hostKeys.verify(target, key);
      const algorithms = hostKeys.algorithms(target);
      const client = await connect(target, { credential, algorithms, verify, sock });
      return new SshSession(target, credential, client, jump);
    } catch (error) {
      await jump?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The key that a host shows; nothing else is said to it. @throws as `open` */
  static async readHostKey(
    target: SshTarget,
    option: { credential: SshCredential; jumpCredential?: SshCredential; hostKeys: HostKeys },
  ): Promise<Buffer> {
    const { jump, sock } = await SshSession.#through(target, option);
    let shown: Buffer | undefined;
    try {
      const verify = (key: Buffer) => {
        shown = key;
        return Promise.reject(new Error('that was all'));
      };
      await connect(target, { credential: {}, algorithms: [], verify, sock });
    } catch (error) {
      if (shown === undefined) throw error;
    } finally {
      await jump?.[Symbol.asyncDispose]();
    }
    return shown!;
  }

  /** The session to go through, and the way from there. */
  static async #through(
    { jump: through, ...target }: SshTarget,
    option: { credential: SshCredential; jumpCredential?: SshCredential; hostKeys: HostKeys },
  ): Promise<{ jump?: SshSession; sock?: ClientChannel }> {
    if (through === undefined) return {};
    const jump = await SshSession.open(through, { ...option, credential: option.jumpCredential ?? option.credential });
    try {
      return { jump, sock: await jump.#forward(target) };
    } catch (error) {
      await jump[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A line of shell as the user who has logged in. Never throws for its exit code. @throws `ssh-lost`, `ssh-timeout` */
  run(line: string, option: SshRunOption = {}): Promise<SshRan> {
    return Promise.race([this.#lost.promise, this.#exec(line, option)]);
  }

  /** A line of shell as root, by sudo where the user is another; it has no input. @throws also `ssh-not-root` */
  async runAsRoot(line: string, option: Pick<SshRunOption, 'timeoutMs'> = {}): Promise<SshRan> {
    if (await this.#userIsRoot()) return this.run(line, option);
    const { sudoPassword } = this.#credential;
    // A sudo that asks for nothing leaves the password to be read: not by what it starts.
    const words = ['sh', '-c', `exec </dev/null; ${line}`];
    if (sudoPassword === undefined) return this.run(shellQuote(['sudo', '-n', '--', ...words]), option);
    const input = `${sudoPassword}\n`;
    return this.run(shellQuote(['sudo', '-S', '-p', '', '--', ...words]), { ...option, input });
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
      suggestion: 'log in as root, or give the password of sudo: --sudo-password-file, --ask-password',
    });
  }

  async #exec(line: string, { input, timeoutMs = defaultTimeoutMs }: SshRunOption): Promise<SshRan> {
    const { channel, ran } = await this.#start(line);
    const tooLong = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      channel.close();
      tooLong.reject(timedOut(this.#target, line, timeoutMs));
    }, timeoutMs);
    try {
      if (input === undefined) channel.end();
      else if (typeof input === 'string' || input instanceof Uint8Array) channel.end(Buffer.from(input));
      else input.on('error', () => channel.destroy()).pipe(channel);
      return await Promise.race([ran, tooLong.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Listens at once: a program may have ended, and its exit code be told, in what has arrived already. */
  #start(line: string): Promise<{ channel: ClientChannel; ran: Promise<SshRan> }> {
    return new Promise((resolve, reject) => {
      this.#client.exec(line, (error, channel) => {
        if (error === undefined) resolve({ channel, ran: collect(channel) });
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

interface ConnectOption {
  credential: SshCredential;
  /** Of host keys; none: all of them. */
  algorithms: readonly string[];
  /** Rejects for a key that is not believed. */
  verify(key: Buffer): Promise<void>;
  sock: ClientChannel | undefined;
}

function connect(target: SshTarget, { credential, algorithms, verify, sock }: ConnectOption): Promise<Client> {
  const { host, port, user } = target;
  const { agentSocket, privateKey, password } = credential;
  const methods: AnyAuthMethod[] = [{ type: 'none', username: user }]; // by it the host tells what it takes
  if (privateKey !== undefined) methods.push({ type: 'publickey', username: user, key: privateKey });
  if (agentSocket !== undefined) methods.push({ type: 'agent', username: user, agent: agentSocket });
  if (password !== undefined) {
    methods.push(
      { type: 'password', username: user, password },
      {
        type: 'keyboard-interactive',
        username: user,
        prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
      },
    );
  }
  return new Promise((resolve, reject) => {
    const client = new Client();
    let verdict: unknown;
    const judge = async (key: Buffer, done: (good: boolean) => void): Promise<void> => {
      try {
        await verify(key);
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
      authHandler: methods,
      hostVerifier: (key: Buffer, done: (good: boolean) => void) => void judge(key, done),
      ...(algorithms.length === 0 ? {} : { algorithms: { serverHostKey: [...algorithms] as never } }),
      ...(sock === undefined ? {} : { sock }),
    };
    client.once('ready', () => {
      client.removeAllListeners('error');
      resolve(client);
    });
    let isShaken = false;
    client.once('handshake', () => (isShaken = true));
    client.on('error', (error: Error & { level?: string; code?: unknown }) => {
      if (error.level === 'agent') return; // one that does not answer: the next method is tried
      client.destroy(); // what follows says nothing new
      // A host that ends the conversation with a number and its reason: too many keys were tried, in most cases.
      const isShownOut = isShaken && typeof error.code === 'number';
      if (verdict !== undefined) reject(verdict);
      else if (isShownOut) reject(unauthenticated(target, credential, error.message));
      else if (error.level === 'client-authentication') reject(unauthenticated(target, credential));
      else reject(unreachable(target, error.message, error));
    });
    client.connect(config);
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

function unauthenticated({ user, host }: SshTarget, credential: SshCredential, reason?: string): FlotillaError {
  const tried = [
    ...(credential.privateKey === undefined ? [] : ['a private key']),
    ...(credential.agentSocket === undefined ? [] : ['the ssh agent']),
    ...(credential.password === undefined ? [] : ['a password']),
  ];
  return new FlotillaError('forbidden', 'ssh-auth-failed', `${host} does not let ${user} in`, {
    seen: `${tried.length === 0 ? 'nothing to show' : `it refused ${tried.join(', ')}`}${reason === undefined ? '' : `: ${reason}`}`,
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
