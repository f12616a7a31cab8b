import { chmod, chown, lchown, lstat, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FlotillaError } from '../../error.ts';
import { type FileOption, ignoreMissing, makeParents } from './file-step.ts';
import type { Owner } from './account.ts';
import type { Step } from './step.ts';

/** A folder with that mode and owner; what is in it stays, `ownTree` gives it to the owner as well. */
export function folderStep({ path, mode, owner, ownTree = false }: FileOption & { ownTree?: boolean }): Step {
  return {
    what: `folder ${path}`,
    async inspect() {
      const found = await lstat(path).catch(ignoreMissing);
      if (found === undefined) return { change: 'create' };
      if (!found.isDirectory()) throw new FlotillaError('refused', 'install-path-taken', `${path} is not a folder`);
      if ((found.mode & 0o7777) !== mode) return { change: 'change', detail: `mode 0${mode.toString(8)}` };
      const wanted = await owner();
      if (wanted === undefined) return { change: 'unchanged' };
      const foreign = isOwnedBy(found, wanted) ? (ownTree ? await foreignIn(path, wanted) : []) : [path];
      return foreign.length === 0 ? { change: 'unchanged' } : { change: 'change', detail: 'owner' };
    },
    async apply(undo) {
      const found = await lstat(path).catch(ignoreMissing);
      if (found === undefined) {
        await makeParents(dirname(path), undo);
        await mkdir(path);
        undo.defer(() => rmdir(path));
      } else {
        undo.defer(async () => {
          await chmod(path, found.mode & 0o7777);
          await chown(path, found.uid, found.gid);
        });
      }
      await chmod(path, mode);
      const wanted = await owner();
      if (wanted === undefined) return;
      await chown(path, wanted.uid, wanted.gid);
      if (!ownTree) return;
      for (const inside of await foreignIn(path, wanted)) {
        const { uid, gid } = await lstat(inside);
        undo.defer(() => lchown(inside, uid, gid));
        await lchown(inside, wanted.uid, wanted.gid);
      }
    },
  };
}

/** With everything in it; there is no way back from this. */
export function removeFolderStep(path: string): Step {
  return {
    what: `folder ${path}`,
    async inspect() {
      return { change: (await lstat(path).catch(ignoreMissing)) === undefined ? 'unchanged' : 'remove' };
    },
    async apply() {
      await rm(path, { recursive: true });
    },
  };
}

async function foreignIn(directory: string, owner: Owner): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (!isOwnedBy(await lstat(path), owner)) found.push(path);
    if (entry.isDirectory()) found.push(...(await foreignIn(path, owner)));
  }
  return found;
}

function isOwnedBy({ uid, gid }: Owner, owner: Owner): boolean {
  return uid === owner.uid && gid === owner.gid;
}
