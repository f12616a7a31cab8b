/** A device's kit as a technician carries it, in a container: the one file, a Node, configuration and identity. */
import { copyFile, cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, ContainerExec } from './container.ts';
import { top } from './cli.ts';
import type { TestFleet } from './fleet.ts';

export interface Kit {
  /** The kit's folder in the container. */
  dir: string;
  /** Runs the kit's agent file under the kit's Node, in the container. */
  run(...args: string[]): Promise<ContainerExec>;
  sh(script: string): Promise<ContainerExec>;
}

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
  return {
    dir: inside,
    run: (...args) => machine.exec([`${inside}/node`, `${inside}/flotilla-agent.js`, ...args]),
    sh: (script) => machine.exec(['sh', '-c', script]),
  };
}
