/**
 * A host for a test that is there in a moment: sshd in namespaces of its own over an overlay of this machine's root, with
 * this machine's network and no init. What is provisioned there is installed whole, as on a machine with init scripts.
 * All of it ends with its first process: a test run that was killed leaves a folder and nothing else. Where containers
 * can be had, they are nearer to a device (`container.ts`). Needs root and overlayfs; ask `whyNoBareHost` first.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { eventually } from './eventually.ts';
import { hasTools, toolPath } from './system-tool.ts';
import { temporaryDirectory } from './temporary.ts';

export interface BareHostOption {
  /** All that it may write; without it as much as this machine has. */
  diskBytes?: number;
  /** Of root; without it no password lets root in. */
  password?: string;
  /** Users besides root. `sudo`: what follows `NAME ALL=(ALL) ` in sudoers. */
  users?: Record<string, { password: string; sudo?: string }>;
  /** Lines of sshd_config, first of all. */
  sshd?: string;
}

export interface BareHost extends AsyncDisposable {
  port: number;
  /** `SHA256:…` of its host key. */
  fingerprint: string;
  hostKeyLine: string;
  /** Private keys that let root and every user in: a plain one, and one under `passphrase`. */
  keyFile: string;
  encryptedKeyFile: string;
  passphrase: string;
  /** A script as root inside; never throws for its exit code. */
  sh(script: string): Promise<{ exitCode: number; stdout: string; stderr: string }>;
  /** Everything that carries the product's name, in the file system and among users. */
  traces(): Promise<string[]>;
  /** Of ssh, open. */
  connections(): Promise<number>;
  /** Ends every connection, as a dead line would. */
  cut(): Promise<void>;
  /** A scratch folder of the test's own machine; `known_hosts` in it knows this host. */
  folder: string;
}

const tools = ['sshd', 'ssh-keygen', 'unshare', 'nsenter', 'setpriv', 'mount', 'chpasswd', 'useradd'];
const passphrase = 'correct horse battery';

/** Why there can be none here, said on stderr as well, or undefined. */
export async function whyNoBareHost(purpose: string): Promise<string | undefined> {
  if (!hasTools(purpose, ...tools)) return 'tools are missing';
  const reason = process.getuid?.() === 0 ? await findObstacle() : 'it needs root';
  if (reason !== undefined) process.stderr.write(`SKIPPED, no host can be made here (${reason}): ${purpose}\n`);
  return reason;
}

async function findObstacle(): Promise<string | undefined> {
  try {
    await using _ = await startBareHost();
    return undefined;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n')[0];
  }
}

export async function startBareHost(option: BareHostOption = {}): Promise<BareHost> {
  const { diskBytes, password, users = {}, sshd = '' } = option;
  await using stack = new AsyncDisposableStack();
  const scratch = stack.use(await temporaryDirectory());
  const at = (...path: string[]): string => join(scratch.path, ...path);
  const tool = (file: string, args: string[]) => execa(file, args, { env: { PATH: toolPath } });
  const keygen = (file: string, phrase: string) =>
    tool('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '1', '-N', phrase, '-f', file]);
  await Promise.all([keygen(at('host'), ''), keygen(at('key'), ''), keygen(at('encrypted'), passphrase)]);
  await writeFile(at('authorized'), (await readFile(at('key.pub'), 'utf8')) + (await readFile(at('encrypted.pub'))));
  const port = await freePort();
  const common = 'PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication yes\n';
  const listen = `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${at('host')}\nAuthorizedKeysFile /etc/ssh/authorized\n`;
  await writeFile(at('sshd_config'), `${sshd}\n${listen}${common}`);
  await mkdir(at('root'));
  await mkdir(at('disk'));
  await writeFile(at('boot'), bootScript);

  const program = ['unshare', '--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child=KILL', 'sh', at('boot')];
  const words = [scratch.path, process.execPath, diskBytes === undefined ? '' : String(diskBytes)];
  const first = execa('setpriv', ['--pdeathsig', 'KILL', ...program, ...words], {
    reject: false,
    stdin: 'pipe',
    stdout: { file: at('log'), append: true },
    stderr: { file: at('log'), append: true },
    env: { PATH: toolPath },
  });
  stack.defer(async () => {
    for (const pid of await childrenOf(first.pid)) kill(pid);
    first.kill('SIGKILL');
    await first;
  });
  const log = (): Promise<string> => readFile(at('log'), 'utf8').catch(() => '');
  const ended = first.then(async () => Promise.reject(new Error(await log())));
  ended.catch(() => undefined);
  const reached = (line: string) =>
    Promise.race([ended, eventually(line, async () => (await log()).includes(line), { everyMs: 10 })]);
  const leader = await eventually('it has a first process', async () => (await childrenOf(first.pid))[0]);
  await reached('mounted');

  const enter = async (argv: string[]): Promise<Awaited<ReturnType<BareHost['sh']>>> => {
    const within = ['--target', String(leader), '--mount', '--pid', '--ipc', '--uts', '--'];
    const { exitCode, stdout, stderr } = await execa('nsenter', [...within, ...argv], {
      reject: false,
      stdin: 'ignore',
      env: { PATH: toolPath },
    });
    return { exitCode: exitCode ?? -1, stdout, stderr };
  };
  const sh: BareHost['sh'] = (script) => enter(['chroot', at('root'), 'sh', '-c', script]);
  const must = async (script: string): Promise<void> => {
    const { exitCode, stderr } = await sh(script);
    if (exitCode !== 0) throw new Error(`${script}: ${stderr}`);
  };
  if (password !== undefined) await must(`echo 'root:${password}' | chpasswd`);
  for (const [name, { password: theirs, sudo }] of Object.entries(users)) {
    await must(`useradd --create-home --shell /bin/sh ${name} && echo '${name}:${theirs}' | chpasswd`);
    if (sudo !== undefined) await must(`echo '${name} ALL=(ALL) ${sudo}' > /etc/sudoers.d/${name}`);
  }
  first.stdin.end('go\n');
  await reached('Server listening');

  const [algorithm, base64] = (await readFile(at('host.pub'), 'utf8')).split(' ');
  const hostKeyLine = `[127.0.0.1]:${port} ${algorithm} ${base64}\n`;
  await writeFile(at('known_hosts'), hostKeyLine);
  const owned = stack.move();
  return {
    port,
    fingerprint: (await tool('ssh-keygen', ['-lf', at('host.pub')])).stdout.split(' ')[1]!,
    hostKeyLine,
    keyFile: at('key'),
    encryptedKeyFile: at('encrypted'),
    passphrase,
    sh,
    async traces() {
      const written = at('disk', 'written');
      const files = await enter(['find', written, '-name', '*flotilla*', '-not', '-path', `${written}/tmp/*`]);
      const others = await sh(
        "ls -d /run/*flotilla*; grep flotilla /etc/passwd; ps -eo args | grep '[f]lotilla[-_]agent'",
      );
      return `${files.stdout.replaceAll(written, '')}\n${others.stdout}`.split('\n').filter(Boolean);
    },
    async connections() {
      const names = (await childrenOf(leader)).map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''));
      return (await Promise.all(names)).filter((name) => name.startsWith('sshd')).length;
    },
    folder: scratch.path,
    async cut() {
      for (const pid of await childrenOf(leader)) {
        for (const child of await childrenOf(pid)) kill(child);
        kill(pid);
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Mounts, says so, waits for its users to be made, and becomes sshd: the first process of its own process table. */
const bootScript = `set -e
top=$1; node=$2; size=$3
mount --make-rprivate /
[ -z "$size" ] || mount -t tmpfs -o "size=$size" tmpfs "$top/disk"
mkdir "$top/disk/written" "$top/disk/work"
mount -t overlay -o "lowerdir=/,upperdir=$top/disk/written,workdir=$top/disk/work" overlay "$top/root"
cd "$top/root"
rm -rf usr/lib/flotilla usr/local/bin/flotilla-agent etc/flotilla var/lib/flotilla etc/init.d/flotilla-agent
rm -f root/.bashrc
touch usr/local/bin/node
mount --bind "$node" usr/local/bin/node
mount --rbind /dev dev
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/sshd
mkdir -p ".$top"
cp -p "$top/host" "$top/sshd_config" ".$top/"
cp "$top/authorized" etc/ssh/authorized
echo mounted
read -r go
exec chroot . "$(command -v sshd)" -D -e -f "$top/sshd_config"
`;

async function childrenOf(pid: number | undefined): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
