import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NewFiles } from '../../../src/cli/new-file.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

describe('new files', () => {
  it('stay when they are kept, with their mode', async () => {
    await using place = await temporaryDirectory();
    const path = join(place.path, 'device.key');
    {
      await using files = new NewFiles();
      await files.reserve(path, 0o600);
      await files.fill(path, 'secret');
      expect(files.keep()).toEqual([path]);
    }
    expect(await readFile(path, 'utf8')).toBe('secret');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('are all gone when something fails in between', async () => {
    await using place = await temporaryDirectory();
    const attempt = async () => {
      await using files = new NewFiles();
      await files.reserve(join(place.path, 'a'));
      await files.reserve(join(place.path, 'b'));
      await files.fill(join(place.path, 'a'), 'x');
      throw new Error('the coordinator refused');
    };
    await expect(attempt()).rejects.toThrow('the coordinator refused');
    expect(await readdir(place.path)).toEqual([]);
  });

  it('take the folders along that were made for them, but no folder that was there', async () => {
    await using place = await temporaryDirectory();
    const attempt = async () => {
      await using files = new NewFiles();
      await files.folder(join(place.path, 'one', 'two'));
      await files.reserve(join(place.path, 'one', 'two', 'a'));
      throw new Error('refused');
    };
    await expect(attempt()).rejects.toThrow('refused');
    expect(await readdir(place.path)).toEqual([]);
  });

  it('hold room for what comes, and nothing more once it came', async () => {
    await using place = await temporaryDirectory();
    const path = join(place.path, 'device.crt');
    await using files = new NewFiles();
    await files.reserve(path);
    expect((await stat(path)).size).toBeGreaterThan(8000);
    await files.fill(path, 'é');
    expect(await readFile(path, 'utf8')).toBe('é');
  });

  it('never replace a file, and leave the one that is there', async () => {
    await using place = await temporaryDirectory();
    const path = join(place.path, 'device.crt');
    await writeFile(path, 'old');
    const attempt = async () => {
      await using files = new NewFiles();
      await files.reserve(path);
    };
    await expect(attempt()).rejects.toMatchObject({ fault: 'refused', code: 'file-exists' });
    expect(await readFile(path, 'utf8')).toBe('old');
  });
});
