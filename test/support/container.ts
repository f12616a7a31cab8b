/**
 * A machine of its own for a test: systemd as init (`systemd-nspawn -b`) over an overlay of this machine's root, with a
 * network of its own that reaches this machine and nothing else. What it writes goes into a folder that is removed at the
 * end. Needs root, namespaces, overlayfs and systemd-container; ask `whyNoContainer` first and skip, loudly, where it
 * gives a reason. Several run side by side. Ends what it started by pid; what a killed test run left is swept up by the
 * next one.
 *
 *     await using machine = await startContainer({ services: ['ssh.service'] });
 *     await machine.exec(['systemctl', 'is-active', 'ssh.service']);
 *     await machine.reboot();
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { top } from './cli.ts';
import { eventually } from './eventually.ts';
import { alive } from './fleet.ts';
import { hasTools, toolPath } from './system-tool.ts';

export interface ContainerOption {
  /** Units of this machine that start at boot besides the bare system: `ssh.service`. All others are left out. */
  services?: readonly string[];
  /** Called with the container's root before its first boot: what is written there is the container's own. */
  prepare?: (root: string) => Promise<void>;
}

export interface ContainerExec {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface Container extends AsyncDisposable {
  /** Also its hostname. */
  readonly name: string;
  /** Its root as this machine sees it. */
  readonly root: string;
  /** The folder with only what differs from this machine: what the container has written. */
  readonly written: string;
  readonly address: string;
  /** This machine as the container sees it. */
  readonly hostAddress: string;
  /** Process number of its init, here; a new one after every boot. */
  readonly leaderPid: number;
  readonly running: boolean;
  /** Runs a program inside, as root. Never throws for its exit code. */
  exec(argv: readonly string[], option?: { input?: string; timeoutMs?: number }): Promise<ContainerExec>;
  /** From power-off: boots it, and resolves when its init says that all is started (or that a unit failed). */
  start(): Promise<void>;
  /** An orderly shutdown and a new boot. */
  reboot(): Promise<void>;
  /** Resolves after the next boot, which a program inside asks for. */
  rebooted(): Promise<void>;
  /** An orderly shutdown; `power: true` cuts the power. The disk stays. */
  stop(option?: { power?: boolean }): Promise<void>;
  /** Pulls the cable, or plugs it in. */
  setNetwork(up: boolean): Promise<void>;
}

const tools = ['systemd-nspawn', 'nsenter', 'setpriv', 'ip', 'mount', 'umount'];
const folderPrefix = 'flotilla-container-';
/** By it nspawn says that the container asks to be started again. */
const rebootExitCode = 133;
const bootLimitMs = 90_000;
const stopLimitMs = 30_000;
const execLimitMs = 60_000;
const environment = { PATH: toolPath };

/** Why no container can be had here, said on stderr as well, or undefined. `purpose`: what is skipped for it. */
export async function whyNoContainer(purpose: string): Promise<string | undefined> {
  const reason = await findObstacle(purpose);
  if (reason !== undefined) process.stderr.write(`SKIPPED, no containers here (${reason}): ${purpose}\n`);
  return reason;
}

async function findObstacle(purpose: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'they need Linux';
  if (process.getuid?.() !== 0) return 'they need root';
  if (!hasTools(purpose, ...tools)) return 'Debian packages systemd-container and iproute2';
  if (!existsSync('/lib/systemd/systemd')) return 'systemd is not installed';
  try {
    await using machine = await startContainer();
    const { exitCode, stderr } = await machine.exec(['systemctl', 'show-environment']);
    return exitCode === 0 ? undefined : `its init does not answer: ${stderr}`;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n').slice(0, 3).join(': ');
  }
}

let started = 0;

/** Makes a container and boots it. */
export async function startContainer(option: ContainerOption = {}): Promise<Container> {
  await sweep();
  await using stack = new AsyncDisposableStack();
  started += 1;
  const name = `fl${process.pid}-${started}`;
  const folder = join(tmpdir(), `${folderPrefix}${process.pid}-${started}`);
  const [root, written, work] = ['root', 'written', 'work'].map((part) => join(folder, part)) as [
    string,
    string,
    string,
  ];
  stack.defer(() => remove(folder, name));
  for (const path of [root, written, work]) await mkdir(path, { recursive: true });
  const layers = `lowerdir=/,upperdir=${written},workdir=${work}`;
  await execa('mount', ['-t', 'overlay', 'overlay', '-o', layers, root], { env: environment });
  await makeBare(root, name, option.services ?? []);
  const network = await createNetwork(name);
  await option.prepare?.(root);
  const machine = new NspawnContainer({ name, folder, root, written, ...network });
  stack.defer(() => machine.stop({ power: true }));
  await machine.start();
  const owned = stack.move();
  machine.onDispose = () => owned.disposeAsync();
  return machine;
}

interface Place {
  name: string;
  folder: string;
  root: string;
  written: string;
  address: string;
  hostAddress: string;
  hostInterface: string;
}

class NspawnContainer implements Container {
  readonly name: string;
  readonly root: string;
  readonly written: string;
  readonly address: string;
  readonly hostAddress: string;
  leaderPid = 0;
  onDispose: () => Promise<void> = () => Promise.resolve();
  readonly #place: Place;
  #nspawn: ReturnType<typeof spawnInit> | undefined;

  constructor(place: Place) {
    this.#place = place;
    ({
      name: this.name,
      root: this.root,
      written: this.written,
      address: this.address,
      hostAddress: this.hostAddress,
    } = place);
  }

  get running(): boolean {
    return this.#nspawn !== undefined;
  }

  async exec(argv: readonly string[], option: { input?: string; timeoutMs?: number } = {}): Promise<ContainerExec> {
    const within = [
      '--target',
      String(this.leaderPid),
      '--mount',
      '--uts',
      '--ipc',
      '--net',
      '--pid',
      '--root',
      '--wdns=/',
    ];
    const { exitCode, stdout, stderr, timedOut } = await execa('nsenter', [...within, '--', ...argv], {
      reject: false,
      timeout: option.timeoutMs ?? execLimitMs,
      killSignal: 'SIGKILL',
      extendEnv: false,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' },
      ...(option.input === undefined ? { stdin: 'ignore' } : { input: option.input }),
    });
    if (timedOut) throw new Error(`no end in ${this.name}: ${argv.join(' ')}\n${stdout}${stderr}`);
    return { exitCode: exitCode ?? -1, stdout, stderr };
  }

  async start(): Promise<void> {
    this.#power();
    await this.#booted(0);
  }

  async reboot(): Promise<void> {
    const before = this.leaderPid;
    await this.exec(['systemctl', 'reboot']);
    await this.#booted(before);
  }

  rebooted(): Promise<void> {
    return this.#booted(this.leaderPid);
  }

  async stop({ power = false } = {}): Promise<void> {
    const nspawn = this.#nspawn;
    if (nspawn === undefined) return;
    if (!power) {
      await this.exec(['systemctl', 'poweroff']);
      await Promise.race([nspawn, new Promise((resolve) => setTimeout(resolve, stopLimitMs).unref())]);
    }
    // Init of a pid namespace takes everything in it along.
    for (const pid of await childrenOf(nspawn.pid)) endProcess(pid);
    await Promise.race([nspawn, new Promise((resolve) => setTimeout(resolve, 5_000).unref())]);
    nspawn.kill('SIGKILL');
    await nspawn;
    this.leaderPid = 0;
  }

  #power(): void {
    const nspawn = spawnInit(this.#place);
    this.#nspawn = nspawn;
    void this.#powered(nspawn);
  }

  async #powered(nspawn: ReturnType<typeof spawnInit>): Promise<void> {
    const { exitCode } = await nspawn;
    this.#nspawn = undefined;
    if (exitCode === rebootExitCode) this.#power(); // whoever asked for it: a test, or a program inside
  }

  async setNetwork(up: boolean): Promise<void> {
    await execa('ip', ['link', 'set', this.#place.hostInterface, up ? 'up' : 'down'], { env: environment });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.onDispose();
  }

  async #booted(before: number): Promise<void> {
    const console = join(this.#place.folder, 'console');
    try {
      await eventually(
        `${this.name} boots`,
        async () => {
          const leader = (await childrenOf(this.#nspawn?.pid)).at(0);
          if (leader === undefined || leader === before) return false;
          this.leaderPid = leader;
          const { stdout } = await this.exec(['systemctl', 'is-system-running'], { timeoutMs: 10_000 });
          return ['running', 'degraded'].includes(stdout.trim());
        },
        { timeoutMs: bootLimitMs, everyMs: 100 },
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await readFile(console, 'utf8').catch(() => '')}`, {
        cause: error,
      });
    }
  }
}

/** A cgroup of its own keeps two containers apart; when this process dies, the container dies with it. */
function spawnInit({ name, folder, root }: Place) {
  const hidden = top.startsWith(`${tmpdir()}/`) ? [] : [`--tmpfs=${top}`];
  const argv = ['systemd-nspawn', '--quiet', '--boot', `--directory=${root}`, `--machine=${name}`, '--register=no'];
  argv.push('--keep-unit', `--network-namespace-path=/run/netns/${name}`, '--console=pipe', '--link-journal=no');
  argv.push(...hidden);
  const script = existsSync('/run/systemd/system')
    ? 'shift; exec systemd-run --scope --quiet --property=Delegate=yes -- "$@"'
    : 'for top in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do [ -e "$top/cgroup.procs" ] || continue; mkdir -p "$top/$1" && echo $$ >"$top/$1/cgroup.procs"; done; shift; exec "$@"';
  return execa('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', script, 'sh', name, ...argv], {
    reject: false,
    stdin: 'ignore',
    stdout: { file: join(folder, 'console'), append: true },
    stderr: { file: join(folder, 'console'), append: true },
    env: { ...environment, SYSTEMD_NSPAWN_LOCK: '0' },
  });
}

/** Only what was asked for starts; nothing of the machine's own network, clock and jobs; nothing that waits for a terminal. */
async function makeBare(root: string, name: string, services: readonly string[]): Promise<void> {
  const units = join(root, 'etc/systemd/system');
  for (const folder of ['etc/rc2.d', 'etc/rc3.d', 'etc/rc4.d', 'etc/rc5.d', 'etc/rcS.d']) {
    await rm(join(root, folder), { recursive: true, force: true });
  }
  for (const entry of await readdir(units)) {
    if (/\.(wants|requires)$/.test(entry)) await rm(join(units, entry), { recursive: true, force: true });
  }
  await mkdir(join(units, 'multi-user.target.wants'), { recursive: true });
  for (const service of services) {
    await execa('ln', ['-sf', `/lib/systemd/system/${service}`, join(units, 'multi-user.target.wants', service)]);
  }
  const idle = [
    'console-getty',
    'getty-static',
    'systemd-networkd',
    'systemd-resolved',
    'systemd-timesyncd',
    'e2scrub_reap',
  ];
  for (const unit of idle) await execa('ln', ['-sf', '/dev/null', join(units, `${unit}.service`)]);
  await writeFile(join(root, 'etc/hostname'), `${name}\n`);
  await appendFile(join(root, 'etc/hosts'), `127.0.1.1 ${name}\n`);
  // Not empty: systemd would take it for a first boot and enable every unit there is.
  await rm(join(root, 'etc/machine-id'), { force: true });
  await writeFile(join(root, 'etc/machine-id'), `${randomBytes(16).toString('hex')}\n`);
  await rm(join(root, 'var/log/journal'), { recursive: true, force: true });
  await mkdir(join(root, 'var/log/journal'), { recursive: true });
}

/** A cable between this machine and the container; it outlives the container's boots. */
async function createNetwork(name: string): Promise<Pick<Place, 'address' | 'hostAddress' | 'hostInterface'>> {
  const ip = (...args: string[]) => execa('ip', args, { env: environment });
  const [hostInterface, inside] = [`${name}o`.replace('-', ''), 'host0'];
  const subnet = await freeSubnet();
  await ip('netns', 'add', name);
  await ip('link', 'add', hostInterface, 'type', 'veth', 'peer', 'name', inside, 'netns', name);
  await ip('addr', 'add', `${subnet}.1/30`, 'dev', hostInterface);
  await ip('link', 'set', hostInterface, 'up');
  await ip('-n', name, 'addr', 'add', `${subnet}.2/30`, 'dev', inside);
  await ip('-n', name, 'link', 'set', inside, 'up');
  await ip('-n', name, 'link', 'set', 'lo', 'up');
  await ip('-n', name, 'route', 'add', 'default', 'via', `${subnet}.1`);
  return { address: `${subnet}.2`, hostAddress: `${subnet}.1`, hostInterface };
}

async function freeSubnet(): Promise<string> {
  const { stdout } = await execa('ip', ['-4', '-oneline', 'addr'], { env: environment });
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const [a, b] = randomBytes(2) as unknown as [number, number];
    const subnet = `10.${128 + (a % 64)}.${b}`;
    if (!stdout.includes(` ${subnet}.`)) return subnet;
  }
  throw new Error('no free subnet in 10.128.0.0/10');
}

async function childrenOf(pid: number | undefined): Promise<number[]> {
  if (pid === undefined) return [];
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function remove(folder: string, name: string): Promise<void> {
  await execa('ip', ['netns', 'del', name], { env: environment, reject: false }); // and both ends of its cable
  // A mount of the container's that is still going away holds the overlay for a moment.
  await eventually('the overlay is unmounted', async () => {
    if (!(await readFile('/proc/self/mounts', 'utf8')).includes(` ${join(folder, 'root')} `)) return true;
    await execa('umount', [join(folder, 'root')], { env: environment, reject: false });
    return false;
  });
  await rm(folder, { recursive: true, force: true });
  for (const hierarchy of ['systemd', 'unified', '']) await removeCgroup(join('/sys/fs/cgroup', hierarchy, name));
}

/** From the leaves up; a folder of the kernel's can't be removed in any other way. */
async function removeCgroup(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  }
  await rmdir(path).catch(() => undefined);
}

/** What test runs left that were killed. */
async function sweep(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    const [, pid, count] = new RegExp(`^${folderPrefix}(\\d+)-(\\d+)$`).exec(entry) ?? [];
    if (pid === undefined || count === undefined || alive(Number(pid))) continue;
    await remove(join(tmpdir(), entry), `fl${pid}-${count}`).catch(() => undefined);
  }
}
