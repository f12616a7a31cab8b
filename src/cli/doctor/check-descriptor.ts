/** One descriptor for each connected device: a limit that is too low turns devices away that would be served. */
import { readFile } from 'node:fs/promises';
import type { CoordinatorStatus } from '../../client/contract/index.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** Database, log, sockets of the core, listeners. */
const ownDescriptors = 64;

export async function checkDescriptors(status: CoordinatorStatus): Promise<Finding> {
  const id = 'file-descriptors';
  const [gateway] = status.gateways;
  const limit = gateway === undefined ? undefined : await readLimit(gateway.pid);
  if (limit === undefined) return ok(id, 'the limit of the gateways can not be read here');
  const capacity = Math.max(0, limit - ownDescriptors) * status.gateways.length;
  const { total, connected } = status.devices;
  const seen = `${limit} for each of ${status.gateways.length} gateways: ${capacity} devices at once; ${connected} of ${total} are connected`;
  const needed = Math.ceil((total * 1.1) / status.gateways.length) + ownDescriptors;
  const mend = `LimitNOFILE=${Math.max(1024, needed)} in the coordinator's unit (or ulimit -n), or gateways: ${status.gateways.length + 1} in coordinator.yaml`;
  if (connected >= capacity) return fail(id, seen, mend, `more than ${connected}`);
  return total > capacity ? warn(id, seen, mend, `at least ${total}`) : ok(id, seen);
}

/** The soft limit of a process; Linux tells it in /proc. */
async function readLimit(pid: number): Promise<number | undefined> {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(await readFile(`/proc/${pid}/limits`, 'utf8')) ?? [];
    if (soft === undefined) return undefined;
    return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft);
  } catch {
    return undefined;
  }
}
