import { access, chmod, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What belongs to this user alone, and with which mode. */
export interface OwnFile {
  key: string;
  /** The agent's state folder. */
  state: string;
}

/**
 * Takes back what others may do with the key and the state of an agent that has run here before; returns the files that
 * were open. A key that is open at the first start is refused: somebody still stands before the device and can make a
 * new one. Later a bad update may have done it, and an agent that refused then would never be heard of again.
 */
export async function closeExposed({ key, state }: OwnFile): Promise<string[]> {
  const hasRun = await access(join(state, 'agent.db')).then(
    () => true,
    () => false,
  );
  if (!hasRun) return [];
  const closed: string[] = [];
  for (const [path, mode] of [[state, 0o700] as const, [key, 0o600] as const]) {
    const open = await stat(path).then(
      (found) => (found.mode & 0o077) !== 0,
      () => false, // whoever reads it says what is wrong
    );
    if (!open) continue;
    // Another user's file stays as it is: the reader refuses it with its reason.
    const done = await chmod(path, mode).then(
      () => true,
      () => false,
    );
    if (done) closed.push(path);
  }
  return closed;
}
