/** The agent of this very build as a process of its own, to be recorded, started on a torn database, killed. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { alive } from '../support/fleet.ts';

const top = join(import.meta.dirname, '..', '..');

export function agentArgv(config: string): string[] {
  const built = join(top, 'dist', 'src', 'bin', 'agent.js');
  const entry = existsSync(built) ? built : join(top, 'src', 'bin', 'agent.ts');
  return [process.execPath, '--disable-warning=ExperimentalWarning', entry, '--config', config];
}

/** SIGKILL to the one child of a strace that was started by this process. */
export async function killTraced(stracePid: number): Promise<void> {
  const children = await readFile(`/proc/${stracePid}/task/${stracePid}/children`, 'utf8');
  const pid = Number(children.trim().split(' ')[0]);
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`strace ${stracePid} has no child`);
  process.kill(pid, 'SIGKILL');
  await eventually('the agent is gone', () => !alive(pid));
}
