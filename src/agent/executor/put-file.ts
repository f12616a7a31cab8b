import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { FlotillaError } from '../../error.ts';
import type { ActionOf } from '../../protocol/job-action.ts';

/** Where the file really comes to stand: links of its folders followed, so that a policy can judge the place itself. */
export async function realPlace(path: string): Promise<string> {
  const plain = normalize(path);
  if (plain !== path || path.endsWith('/')) {
    throw new FlotillaError('failed', 'path-not-plain', 'a path with "..", "//" or "/" at its end is not taken', {
      seen: path,
    });
  }
  return join(await realpath(dirname(plain)), basename(plain));
}

/**
 * Puts `source` at `path`: a new file beside it, whole, with its mode and owner, on disk, proved by its digest, and then
 * in one step in the place of what was there. A link at the place is replaced, not followed.
 */
export async function putFile(
  source: string,
  path: string,
  { content, mode, owner }: Pick<ActionOf<'put'>, 'content' | 'mode' | 'owner'>,
): Promise<void> {
  const before = await stat(path).catch(() => undefined);
  if (before !== undefined && !before.isFile()) {
    throw new FlotillaError('failed', 'path-not-a-file', `${path} is there and is no file`);
  }
  const ids = owner === undefined ? undefined : await ownerIds(owner);
  const temporary = join(dirname(path), `.${randomUUID()}.flotilla`);
  const permissions = mode === undefined ? (before?.mode ?? 0o644) & 0o7777 : Number.parseInt(mode, 8);
  try {
    await using file = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600);
    const digest = createHash('sha256');
    for await (const chunk of createReadStream(source)) {
      digest.update(chunk as Buffer);
      await file.writeFile(chunk as Buffer);
    }
    if (digest.digest('hex') !== content.sha256) {
      throw new FlotillaError('failed', 'content-changed', 'the content has changed on this device');
    }
    if (ids !== undefined) await file.chown(ids.uid, ids.gid);
    else if (before !== undefined) await file.chown(before.uid, before.gid).catch(() => undefined);
    await file.chmod(permissions); // after chown, which takes bits away
    await file.sync();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await using folder = await open(dirname(path), 'r');
  await folder.sync();
}

/** `user`, `user:group`, or numbers, by the device's own files. */
async function ownerIds(owner: string): Promise<{ uid: number; gid: number }> {
  const [user = '', group] = owner.split(':');
  const passwd = await entry('/etc/passwd', user, 2);
  const uid = Number(passwd?.[2] ?? user);
  const gid = group === undefined ? Number(passwd?.[3]) : Number((await entry('/etc/group', group, 2))?.[2] ?? group);
  if (Number.isInteger(uid) && Number.isInteger(gid)) return { uid, gid };
  throw new FlotillaError('failed', 'owner-unknown', 'this device has no such user or group', {
    seen: owner,
    suggestion: 'give user:group as this device knows them, or numbers',
  });
}

async function entry(file: string, name: string, idField: number): Promise<string[] | undefined> {
  const lines = (await readFile(file, 'utf8')).split('\n').map((line) => line.split(':'));
  return lines.find((fields) => fields[0] === name) ?? lines.find((fields) => fields[idField] === name);
}
