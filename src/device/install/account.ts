/** Users and groups of the machine, or of an image below a prefix, by its own files. */
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { onDisk } from '../layout.ts';

/** Who owns a file, by numbers. */
export interface Owner {
  uid: number;
  gid: number;
}

export const root: Owner = { uid: 0, gid: 0 };

/** By `/etc/passwd`; on the live machine by its name service as well. Undefined: there is no such user. */
export async function findAccount(prefix: string, name: string): Promise<Owner | undefined> {
  const text = await readFile(onDisk(prefix, '/etc/passwd'), 'utf8').catch(() => '');
  const [, , uid, gid] =
    text
      .split('\n')
      .map((line) => line.split(':'))
      .find(([user]) => user === name) ?? [];
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  if (prefix !== '/') return undefined;
  const asked = await execa('id', [name], { reject: false, stdin: 'ignore' });
  const found = /^uid=(\d+).*? gid=(\d+)/.exec(asked.stdout);
  return asked.exitCode === 0 && found ? { uid: Number(found[1]), gid: Number(found[2]) } : undefined;
}
