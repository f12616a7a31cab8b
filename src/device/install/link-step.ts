import { lstat, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FlotillaError } from '../../error.ts';
import { ignoreMissing, makeParents } from './file-step.ts';
import type { Step } from './step.ts';

/** A symbolic link, by which an init knows that a service is enabled. */
export function linkStep(path: string, target: string): Step {
  return {
    what: `link ${path}`,
    async inspect() {
      const found = await lstat(path).catch(ignoreMissing);
      if (found === undefined) return { change: 'create' };
      if (!found.isSymbolicLink()) throw new FlotillaError('refused', 'install-path-taken', `${path} is not a link`);
      return { change: (await readlink(path)) === target ? 'unchanged' : 'change' };
    },
    async apply(undo) {
      await makeParents(dirname(path), undo);
      const before = await readlink(path).catch(ignoreMissing);
      undo.defer(() => (before === undefined ? rm(path, { force: true }) : place(path, before)));
      await place(path, target);
    },
  };
}

async function place(path: string, target: string): Promise<void> {
  const fresh = `${path}.flotilla-new`;
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, path);
}
