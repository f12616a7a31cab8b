/** A device's kit as a technician carries it, in a container: the one file, a Node, configuration and identity. */
import { copyFile, cp } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Container, ContainerExec } from './container.ts';
import { top } from './cli.ts';
import type { TestFleet } from './fleet.ts';

export interface Kit {
  /** The kit's folder in the container. */
  dir: string;
  /** Runs the kit's agent file under the kit's Node, in the container. */
  run(...args: string[]): Promise<ContainerExec>;
  sh(script: string): Promise<ContainerExec>;
  /** Installs the kit's configuration; throws when that fails. */
  install(...args: string[]): Promise<InstallReport>;
}

export interface InstallReport {
  changes: number;
  steps: { what: string; change: string; detail?: string }[];
}

/** What an installation has left on the machine's disk, by name (of what the machine has written: not of this one's), and the user. */
export async function traces(machine: Container): Promise<string> {
  const left = ['root', 'tmp', 'var/tmp', 'var/log/journal'].flatMap((path) => ['-not', '-path', `./${path}/*`]);
  const { stdout } = await execa('find', ['.', '-name', '*flotilla*', ...left], { cwd: machine.written });
  const user = await machine.exec(['id', '-u', 'flotilla-agent']);
  return [...stdout.split('\n').toSorted(), user.stdout.trim()].join('\n');
}

const owned = '/etc /usr/lib/flotilla /usr/local /var/lib/flotilla -xdev';
/** A script that prints names, owners, modes, times and sizes of all but the database, which the agent writes. */
export const fingerprint = `find ${owned} -not -path '/var/lib/flotilla/state*' -printf '%p %U:%G %m %T@ %s\\n' | sort | sha256sum`;
/** The same of contents, without times: what was undone has its content back, and its folders a newer time. */
export const contents = `find ${owned} -type f -not -path '/var/lib/flotilla/state*' -exec sha256sum {} + | sort`;

/** A device of that id, made and signed, ready to be installed in the container. `certified: false`: it has no certificate yet. */
export async function putKit(
  machine: Container,
  fleet: TestFleet,
  id: string,
  { certified = true }: { certified?: boolean } = {},
): Promise<Kit> {
  const dir = join(fleet.scratch, `kit-${id}`);
  const must = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await fleet.cli(args);
    if (exitCode !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
  };
  await must('agent', 'init', dir, '--id', id, '--coordinator', `${machine.hostAddress}:${fleet.port}`);
  const certificate = ['--out', join(dir, 'device.crt'), '--authority-out', join(dir, 'authority.crt')];
  if (certified) await must('cert', 'sign', join(dir, 'device.csr'), ...certificate);
  await copyFile(join(top, 'dist', 'agent', 'flotilla-agent.js'), join(dir, 'flotilla-agent.js'));
  const inside = `/root/kit-${id}`;
  const there = join(machine.root, inside);
  await cp(dir, there, { recursive: true });
  await copyFile(process.execPath, join(there, 'node'));
  const run: Kit['run'] = (...args) => machine.exec([`${inside}/node`, `${inside}/flotilla-agent.js`, ...args]);
  return {
    dir: inside,
    run,
    sh: (script) => machine.exec(['sh', '-c', script]),
    async install(...args) {
      const { exitCode, stdout, stderr } = await run('install', '--config', `${inside}/agent.yaml`, '--json', ...args);
      if (exitCode !== 0) throw new Error(`install: exit ${exitCode}\n${stdout}${stderr}`);
      return JSON.parse(stdout) as InstallReport;
    },
  };
}
