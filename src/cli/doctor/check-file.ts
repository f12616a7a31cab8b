/** Who can read and replace what must be the coordinator's alone. */
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CoordinatorConfig } from '../../config/coordinator-config.ts';
import type { FleetLayout } from '../../config/fleet-layout.ts';
import { systemErrorCode } from '../../error.ts';
import { formatAge } from '../human.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const othersMask = 0o077;
const othersWriteMask = 0o022;
/** Tickets are good for half a day; a key is exchanged with them. */
const maxTicketKeyAgeMs = 26 * 3_600_000;
/** What devices told, and what the log of mutations is held by. */
const dataFile = /^(flotilla\.db(-wal|-shm)?|audit-heads\.ndjson|suspects|ticket-key\.json)$/;

/** A folder that others may write into is theirs: they can put another key in the place of ours. */
export async function checkFolders(layout: FleetLayout, { data, socket }: CoordinatorConfig): Promise<Finding[]> {
  const findings: Finding[] = [];
  const run = join(socket, '..');
  for (const folder of new Set([join(layout.config, '..'), layout.pki, layout.keys, data, run])) {
    const found = await modeOf(folder);
    if (found === undefined) continue;
    if ((found & othersWriteMask) !== 0 && (found & 0o1000) === 0) {
      const seen = `${folder} has mode ${octal(found)}: others can replace what is in it`;
      findings.push(fail('folders', seen, `chmod go-w ${folder}`, 'a folder that only its owner writes into'));
    }
  }
  for (const name of (await namesIn(data)).filter((file) => dataFile.test(file))) {
    const path = join(data, name);
    const mode = await modeOf(path);
    if (mode !== undefined && (mode & othersMask) !== 0) {
      findings.push(
        fail('folders', `${path} has mode ${octal(mode)}: others can read it`, `chmod 600 ${path}`, '0600'),
      );
    }
  }
  return findings.length > 0 ? findings : [ok('folders', 'only their owner writes into them')];
}

export async function checkTicketKey({ data }: CoordinatorConfig, nowMs: number): Promise<Finding> {
  const path = join(data, 'ticket-key.json');
  const id = 'ticket-key';
  const mode = await modeOf(path);
  if (mode === undefined) return ok(id, 'none is kept yet: the coordinator makes it');
  const renew = `rm ${path}, then start the coordinator again: it makes a new one, and devices shake hands in full once`;
  // Whoever has had it can write a ticket in the name of any device.
  if ((mode & othersMask) !== 0) return fail(id, `${path} has mode ${octal(mode)}: others can read it`, renew, '0600');
  let madeAtMs: unknown;
  try {
    ({ madeAtMs } = JSON.parse(await readFile(path, 'utf8')) as { madeAtMs?: unknown });
  } catch (error) {
    return fail(id, `${path} can't be read: ${systemErrorCode(error) ?? 'it is no JSON'}`, renew);
  }
  if (typeof madeAtMs !== 'number') return fail(id, `${path} is no ticket key`, renew);
  const age = `made ${formatAge(madeAtMs, nowMs)}`;
  if (madeAtMs > nowMs + 60_000) return warn(id, `${age}: the clock was set back`, renew);
  if (nowMs - madeAtMs > maxTicketKeyAgeMs) {
    return ok(id, `${age}; too old to be used: the coordinator exchanges it at its start`);
  }
  return ok(id, `${age}, mode 0600`);
}

/** What a coordinator that was killed has left in run/. The next start clears it; one that hangs does not. */
export async function checkRemains({ socket }: CoordinatorConfig, isAnswering: boolean): Promise<Finding> {
  const id = 'remains';
  if (isAnswering) return ok(id, 'none: the coordinator answers');
  const run = join(socket, '..');
  const pid = await pidIn(join(run, 'coordinator.json'));
  if (pid !== undefined && (await isCoordinator(pid))) {
    const seen = `the process ${pid} of ${run}/coordinator.json runs and does not answer`;
    return fail(id, seen, `look into ${run}/coordinator.log; when it hangs: kill ${pid}`);
  }
  const found = await lstat(socket).catch(() => undefined);
  if (found !== undefined && !found.isSocket()) {
    return fail(id, `${socket} is no socket`, `mv ${socket} ${socket}.old`, 'a socket, or nothing');
  }
  if (pid === undefined && found === undefined) return ok(id, 'none: the coordinator was stopped in order');
  const what = pid === undefined ? `the socket ${socket}` : `${run}/coordinator.json of the process ${pid}`;
  return warn(id, `${what} is left of a coordinator that was killed`, 'flotilla coordinator start --detach clears it');
}

async function pidIn(path: string): Promise<number | undefined> {
  try {
    const { pid } = JSON.parse(await readFile(path, 'utf8')) as { pid?: unknown };
    return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Its number may be another program's by now; one that has ended and that nobody has buried does not run. */
async function isCoordinator(pid: number): Promise<boolean> {
  try {
    const [command, state] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    return command.includes('coordinator') && !/^\d+ \(.*\) Z/s.test(state);
  } catch {
    return false;
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o7777;
  } catch {
    return undefined;
  }
}

export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

const octal = (mode: number): string => `0${mode.toString(8)}`;
