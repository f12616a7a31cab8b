import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { decodeCpio, findFile } from '../../../src/board/cpio.ts';
import { productPath } from '../../../src/board/launcher-path.ts';
import { buildProductImages } from '../../../src/board/product-image.ts';
import { extractRootfs } from '../../../src/board/rootfs.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const productDir = productPath();
const health = async (root: string, name: string) =>
  execa(join(root, 'usr/lib/health', name), [], { reject: false, env: { LC_ALL: 'C' } });

describe('the example product', () => {
  it('builds the same images from the same inputs, other ones for another version', async () => {
    await using scratch = await temporaryDirectory();
    const build = (name: string, version: string) =>
      buildProductImages({ productDir, outDir: join(scratch.path, name), version });
    const [one, again, two] = await Promise.all([build('1', '1.0.0'), build('2', '1.0.0'), build('3', '2.0.0')]);
    expect((await readFile(one.rootfs)).equals(await readFile(again.rootfs))).toBe(true);
    expect((await readFile(one.boot)).equals(await readFile(two.boot))).toBe(true);
    expect((await readFile(one.rootfs)).equals(await readFile(two.rootfs))).toBe(false);
    expect((await stat(one.rootfs)).size).toBeGreaterThan(4 * 1024 * 1024);
    const release = findFile(decodeCpio(await readFile(two.rootfs)), 'etc/os-release')!;
    expect(Buffer.from(release).toString()).toContain('VERSION_ID=2.0.0\n');
  });

  it('passes its own health checks, and fails the one that a change broke', async () => {
    await using scratch = await temporaryDirectory();
    const start = async (name: string, changes: Record<string, string>) => {
      const image = await buildProductImages({
        productDir,
        outDir: join(scratch.path, name),
        version: '1.0.0',
        changes,
      });
      const root = join(scratch.path, name, 'root');
      await extractRootfs(decodeCpio(await readFile(image.rootfs)), root);
      return root;
    };
    const good = await start('good', {});
    expect(await health(good, 'integrity.sh')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await health(good, 'meter.sh')).toMatchObject({
      exitCode: 0,
      stdout: '1-0:1.8.0 004231.587\n1-0:2.8.0 000017.204\n1-0:16.7.0 000.482',
    });
    const grains = await execa(join(good, 'usr/lib/grains/release.sh'));
    expect(JSON.parse(grains.stdout)).toEqual({ product: 'harbour-meter', release: '1.0.0', registers: 3 });

    const wrong = await start('wrong', { 'etc/meter.conf': 'REGISTERS="1-0:1.8.0 1-0:91.7.0"\n' });
    expect(await health(wrong, 'integrity.sh')).toMatchObject({ exitCode: 0 });
    expect(await health(wrong, 'meter.sh')).toMatchObject({
      exitCode: 1,
      stderr: 'no number for register 1-0:91.7.0 in the telegram',
    });
  });
});
