import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { eventually } from '../../support/eventually.ts';
import { writeIdentity } from '../../support/short-lived.ts';
import { childrenOf } from '../../support/waiting-shell.ts';
import type { CrowdFleet } from './crowd-fleet.ts';

/** What a supervisor gives a service: systemd.exec(5). */
const servicePath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** A file system in memory. */
const memory = '/dev/shm';

/**
 * Agents as they are, many in a process, each with its own state, keys and link. Their state is in memory: each device
 * has a disk of its own, and here they would wait for one another at the only one. Connected when this resolves, with the
 * pids.
 */
export async function startRealAgents(
  { fleet, client, enroll }: { fleet: CrowdFleet['fleet']; client: CrowdFleet['client']; enroll: CrowdFleet['enroll'] },
  { count, processes, stack }: { count: number; processes: number; stack: AsyncDisposableStack },
): Promise<number[]> {
  const ids = Array.from({ length: count }, (_, n) => `real-${n}`);
  const dirs: string[] = [];
  const states = await mkdtemp(join(memory, 'flotilla-bench-'));
  stack.defer(() => rm(states, { recursive: true, force: true }));
  for (const { id, ...pems } of await enroll(ids)) {
    const dir = join(fleet.scratch, id);
    await mkdir(dir);
    await writeIdentity(dir, pems);
    const yaml = `coordinator: { host: 127.0.0.1, port: ${fleet.port} }\nstate: ${join(states, id)}\n`;
    await writeFile(join(dir, 'agent.yaml'), yaml);
    dirs.push(dir);
  }
  const script = join(import.meta.dirname, '..', '..', 'soak', 'rotation', 'agent-crowd.ts');
  const share = Math.ceil(count / processes);
  const pids: number[] = [];
  for (let n = 0; n < count; n += share) {
    const crowd = execa(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', script, ...dirs.slice(n, n + share)],
      { reject: false, stdin: 'ignore', stdout: 'ignore', stderr: 'inherit', env: { PATH: servicePath } },
    );
    if (crowd.pid !== undefined) pids.push(crowd.pid);
    stack.defer(async () => {
      crowd.kill('SIGKILL');
      await crowd;
    });
  }
  await eventually(
    'all agents are connected and have told their grains',
    async () => {
      const devices = await client.devices({ selector: 'real-*' });
      return devices.filter(({ connected, grains }) => connected && Object.keys(grains).length > 0).length === count;
    },
    { timeoutMs: 300_000, everyMs: 500 },
  );
  return pids;
}

/** Each agent of these processes has one that waits for the next command. They are only counted: a look costs their end. */
export async function untilReady(pids: readonly number[], agents: number): Promise<void> {
  const count = (): number => pids.reduce((sum, pid) => sum + childrenOf(pid).length, 0);
  await eventually(`${agents} processes wait for a command`, () => count() === agents, { everyMs: 100 });
}

/** Processes a second that one loop of posix_spawn(3) and waitpid(2) makes of `true` on this machine. */
export async function spawnRate(count: number): Promise<number> {
  const program = [
    'import os, sys, time',
    'count = int(sys.argv[1])',
    'began = time.monotonic()',
    'for _ in range(count):',
    '    os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)',
    'print(count / (time.monotonic() - began))',
  ];
  const { stdout } = await execa('python3', ['-c', program.join('\n'), String(count)]);
  return Number(stdout);
}
