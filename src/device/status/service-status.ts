import { access, readFile } from 'node:fs/promises';
import { ask, detectInit, type InitKind, type InitSystem } from '../init/init-system.ts';
import { serviceName } from '../layout.ts';

export interface ServiceStatus {
  init: InitKind | 'unknown';
  state: 'not-installed' | 'stopped' | 'running' | 'failed';
  /** Starts at boot. */
  enabled: boolean;
  pid?: number;
  /** How often the init has started it again by itself, since it was started. */
  restarts?: number;
  sinceMs?: number;
  /** Resident, of the agent alone. */
  memoryBytes?: number;
}

/** What the init says of the service. */
export async function readServiceStatus(): Promise<ServiceStatus> {
  const init = await detectInit('/').catch(() => undefined);
  if (init === undefined) return { init: 'unknown', state: 'not-installed', enabled: false };
  const installed = await isThere(init.files.at(-1)!.path);
  if (!installed) return { init: init.kind, state: 'not-installed', enabled: false };
  const enabled = init.links.length === 0 || (await isThere(init.links[0]!.path));
  const status = { init: init.kind, enabled };
  return init.kind === 'systemd' ? readSystemd(status) : readScript(init, status);
}

async function readSystemd(known: { init: InitKind; enabled: boolean }): Promise<ServiceStatus> {
  const names = ['ActiveState', 'MainPID', 'NRestarts', 'ActiveEnterTimestamp'];
  const { output } = await ask([
    'systemctl',
    'show',
    '--timestamp=unix',
    ...names.map((name) => `--property=${name}`),
    serviceName,
  ]);
  const values = Object.fromEntries(output.split('\n').map((line) => line.split('=', 2))) as Record<string, string>;
  const active = values['ActiveState'] ?? '';
  const pid = Number(values['MainPID'] ?? 0);
  const since = Number(/^@(\d+)/.exec(values['ActiveEnterTimestamp'] ?? '')?.[1]);
  const state = active === 'failed' ? 'failed' : ['active', 'activating', 'reloading'].includes(active) ? 'running' : 'stopped'; // prettier-ignore
  return {
    ...known,
    state,
    restarts: Number(values['NRestarts'] ?? 0),
    ...(pid > 0 ? { pid, ...(await memoryOf(pid)) } : {}),
    ...(Number.isFinite(since) && since > 0 ? { sinceMs: since * 1_000 } : {}),
  };
}

async function readScript(init: InitSystem, known: { init: InitKind; enabled: boolean }): Promise<ServiceStatus> {
  const { exitCode } = await ask(init.isRunning);
  return { ...known, state: exitCode === 0 ? 'running' : 'stopped' };
}

async function memoryOf(pid: number): Promise<{ memoryBytes?: number }> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kibibytes = /VmRSS:\s+(\d+)/.exec(text)?.[1];
  return kibibytes === undefined ? {} : { memoryBytes: Number(kibibytes) * 1_024 };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
