/** Debian's cpio is the judge of our archives; a committed archive of its making is what ours must read without it. */
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { decodeCpio, encodeCpio } from '../../../src/board/cpio.ts';
import { collectRootfs, extractRootfs } from '../../../src/board/rootfs.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const hasCpio = (await execa('cpio', ['--version'], { reject: false })).exitCode === 0;

async function writeTree(root: string): Promise<void> {
  await mkdir(join(root, 'usr/lib/health'), { recursive: true });
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'etc/os-release'), 'ID=harbour-meter\n');
  await writeFile(join(root, 'etc/empty'), '');
  await writeFile(join(root, 'usr/lib/health/ok.sh'), '#!/bin/sh\nexit 0\n');
  await chmod(join(root, 'usr/lib/health/ok.sh'), 0o755);
  await writeFile(join(root, 'usr/lib/odd.bin'), Buffer.from([0, 1, 2, 255, 10]));
  await symlink('usr/lib', join(root, 'lib'));
}

const shape = async (root: string) =>
  (await collectRootfs(root)).map(({ path, mode, content }) => [
    path,
    mode.toString(8),
    Buffer.from(content).toString('hex'),
  ]);

describe('our cpio archives and those of Debian', () => {
  it.skipIf(!hasCpio)('cpio lists and unpacks ours to the same tree', async () => {
    await using scratch = await temporaryDirectory();
    const [from, to] = [join(scratch.path, 'from'), join(scratch.path, 'to')];
    await writeTree(from);
    await mkdir(to);
    const archive = Buffer.concat([encodeCpio(await collectRootfs(from)), Buffer.alloc(4096)]);
    const listed = await execa('cpio', ['-it', '--quiet'], { input: archive });
    expect(listed.stdout.split('\n')).toEqual((await collectRootfs(from)).map(({ path }) => path));
    const unpacked = await execa('cpio', ['-id', '--quiet', '--no-absolute-filenames'], { input: archive, cwd: to });
    expect(unpacked.stderr).toBe('');
    expect(await shape(to)).toEqual(await shape(from));
  });

  it.skipIf(!hasCpio)('ours reads what cpio packs', async () => {
    await using scratch = await temporaryDirectory();
    const [from, to] = [join(scratch.path, 'from'), join(scratch.path, 'to')];
    await writeTree(from);
    const found = await execa('find', ['.', '-print'], { cwd: from });
    const packed = await execa('cpio', ['-o', '-H', 'newc', '--quiet'], {
      cwd: from,
      input: found.stdout,
      encoding: 'buffer',
    });
    await extractRootfs(
      decodeCpio(packed.stdout).filter(({ path }) => path !== '.'),
      to,
    );
    expect(await shape(to)).toEqual(await shape(from));
  });

  it('ours reads an archive that cpio 2.13 made', async () => {
    const archive = await readFile(join(import.meta.dirname, '..', '..', 'vectors', 'cpio', 'debian-2.13.cpio'));
    const read = decodeCpio(archive).map(({ path, mode, content }) => [
      path,
      mode & 0o170777,
      Buffer.from(content).toString(),
    ]);
    expect(read).toEqual([
      ['etc', 0o040755, ''],
      ['etc/os-release', 0o100644, 'ID=harbour-meter\n'],
      ['etc/name', 0o120777, 'os-release'],
      ['run.sh', 0o100755, '#!/bin/sh\necho up\n'],
    ]);
  });
});

describe('a rootfs', () => {
  it('is not written through a link that it brought along', async () => {
    await using scratch = await temporaryDirectory();
    const entries = [
      { path: 'way', mode: 0o120777, content: Buffer.from(scratch.path) },
      { path: 'way/out', mode: 0o100644, content: Buffer.from('x') },
    ];
    await expect(extractRootfs(entries, join(scratch.path, 'root'))).rejects.toMatchObject({
      code: 'rootfs-through-link',
    });
    const device = [{ path: 'dev', mode: 0o020644, content: Buffer.alloc(0) }];
    await expect(extractRootfs(device, join(scratch.path, 'root2'))).rejects.toMatchObject({
      code: 'rootfs-file-type',
    });
  });
});
