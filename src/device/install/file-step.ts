import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { chmod, chown, copyFile, link, lstat, mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import type { Owner } from './account.ts';
import type { Step } from './step.ts';
import type { Undo } from './undo.ts';

export interface FileOption {
  /** Where it goes, from here. */
  path: string;
  mode: number;
  /** Looked up when it is needed: a step before may make the user. Undefined: left to whoever runs this. */
  owner(): Promise<Owner | undefined>;
}

export type FileSource = { text: string } | { copyOf: string };

/** A file with that content, mode and owner. It is replaced in one instant, and the one before comes back on a failure. */
export function fileStep(source: FileSource, { path, mode, owner }: FileOption): Step {
  return {
    what: `file ${path}`,
    async inspect() {
      const found = await lstat(path).catch(ignoreMissing);
      if (found === undefined) return { change: 'create' };
      if (!found.isFile()) {
        throw new FlotillaError('refused', 'install-path-taken', `${path} is not a file`, {
          suggestion: 'move it away',
        });
      }
      if (!(await sameContent(source, path, found.size))) return { change: 'change' };
      // A run that was killed: its spare copies are as large as the file.
      if (await leftBehind(path)) return { change: 'change', detail: 'tidied up after an earlier run' };
      const wanted = await owner();
      if ((found.mode & 0o7777) !== mode) return { change: 'change', detail: `mode 0${mode.toString(8)}` };
      if (wanted && (found.uid !== wanted.uid || found.gid !== wanted.gid))
        return { change: 'change', detail: 'owner' };
      return { change: 'unchanged' };
    },
    async apply(undo) {
      await makeParents(dirname(path), undo);
      const [fresh, before] = spares(path);
      await rm(fresh, { force: true });
      undo.defer(() => rm(fresh, { force: true }));
      await write(source, fresh);
      await chmod(fresh, mode);
      const wanted = await owner();
      if (wanted) await chown(fresh, wanted.uid, wanted.gid);
      await rm(before, { force: true });
      const replaced = await link(path, before).then(() => true, ignoreMissing);
      undo.defer(
        () => (replaced ? rename(before, path) : rm(path, { force: true })),
        () => rm(before, { force: true }),
      );
      await rename(fresh, path);
    },
  };
}

/** Without a trace where it is not there. */
export function removeFileStep(path: string): Step {
  return {
    what: `file ${path}`,
    async inspect() {
      return { change: (await lstat(path).catch(ignoreMissing)) === undefined ? 'unchanged' : 'remove' };
    },
    async apply(undo) {
      const [, before] = spares(path);
      undo.defer(
        () => rename(before, path),
        () => rm(before, { force: true }),
      );
      await rename(path, before);
    },
  };
}

function spares(path: string): [fresh: string, before: string] {
  return [`${path}.flotilla-new`, `${path}.flotilla-before`];
}

async function leftBehind(path: string): Promise<boolean> {
  const found = await Promise.all(spares(path).map((spare) => lstat(spare).catch(ignoreMissing)));
  return found.some((file) => file !== undefined);
}

/** A folder and what is above it, made where missing. */
export async function makeParents(path: string, undo: Undo): Promise<void> {
  const missing: string[] = [];
  for (let at = path; (await lstat(at).catch(ignoreMissing)) === undefined; at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    await mkdir(folder, { mode: 0o755 });
    await chmod(folder, 0o755); // whatever the umask is
    undo.defer(() => rmdir(folder).catch(ignoreMissing));
  }
}

async function write(source: FileSource, path: string): Promise<void> {
  if ('copyOf' in source) await copyFile(source.copyOf, path, constants.COPYFILE_EXCL);
  const file = await open(path, 'text' in source ? 'wx' : 'r+', 0o600);
  try {
    if ('text' in source) await file.writeFile(source.text);
    await file.sync(); // its name comes after its content, over a power cut as well
  } finally {
    await file.close();
  }
}

async function sameContent(source: FileSource, path: string, size: number): Promise<boolean> {
  if ('text' in source) {
    if (Buffer.byteLength(source.text) !== size) return false;
    const sha256 = createHash('sha256').update(source.text).digest('hex');
    return sha256 === (await sha256Of(path));
  }
  const from = await lstat(source.copyOf);
  const there = await lstat(path);
  if (from.dev === there.dev && from.ino === there.ino) return true;
  if (from.isFile() && from.size !== size) return false;
  const [a, b] = await Promise.all([sha256Of(source.copyOf), sha256Of(path)]);
  return a === b;
}

/** Hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

export function ignoreMissing(error: unknown): undefined {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
  return undefined;
}
