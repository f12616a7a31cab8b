import { chmod, mkdir, readdir, readFile, readlink, lstat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FlotillaError } from '../error.ts';
import { fileType, type CpioEntry } from './cpio.ts';

/** Writes the entries below `root`, which is made anew: a slot is read-only, each boot has it as the disk has it. */
export async function extractRootfs(entries: readonly CpioEntry[], root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  const links = new Set<string>();
  for (const { path, mode, content } of entries) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
      if (links.has(folder)) {
        throw new FlotillaError('failed', 'rootfs-through-link', `${path} would be written through the link ${folder}`);
      }
    }
    const target = join(root, path);
    const type = mode & fileType.mask;
    if (type === fileType.directory) await mkdir(target, { recursive: true });
    else if (type === fileType.link) {
      links.add(path);
      await symlink(Buffer.from(content).toString(), target);
    } else if (type === fileType.file) {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content, { flag: 'wx' });
      await chmod(target, mode & 0o777);
    } else {
      throw new FlotillaError('failed', 'rootfs-file-type', `${path} is no file, directory or symbolic link`, {
        seen: `mode ${mode.toString(8)}`,
      });
    }
  }
}

/** The entries of a folder, sorted, with modes 755 and 644 whatever the umask of the checkout was. */
export async function collectRootfs(folder: string): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  const walk = async (relative: string): Promise<void> => {
    const names = (await readdir(join(folder, relative))).sort();
    for (const name of names) {
      const path = relative === '' ? name : `${relative}/${name}`;
      const place = join(folder, path);
      const stat = await lstat(place);
      if (stat.isSymbolicLink()) {
        entries.push({ path, mode: fileType.link | 0o777, content: Buffer.from(await readlink(place)) });
      } else if (stat.isDirectory()) {
        entries.push({ path, mode: fileType.directory | 0o755, content: new Uint8Array() });
        await walk(path);
      } else {
        const mode = (stat.mode & 0o100) === 0 ? 0o644 : 0o755;
        entries.push({ path, mode: fileType.file | mode, content: await readFile(place) });
      }
    }
  };
  await walk('');
  return entries;
}
