import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ProgramSearch } from '../../../src/agent/machine/program-search.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

it('finds what execvp would, wherever the last one was', async () => {
  await using folder = await temporaryDirectory();
  const [first, second] = [join(folder.path, 'first'), join(folder.path, 'second')];
  const program = async (directory: string, name: string, mode = 0o755) => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, name), '#!/bin/sh\n');
    await chmod(join(directory, name), mode);
  };
  await program(second, 'a');
  await program(second, 'b');
  await program(first, 'data', 0o644);
  await mkdir(join(second, 'folder'));
  const search = new ProgramSearch();
  const path = `${first}:${second}`;
  expect(['a', 'b', 'c', 'data', 'folder', ''].map((name) => search.finds(name, path))).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  await program(first, 'c');
  await rm(join(second, 'a'));
  expect(['a', 'c', 'b'].map((name) => search.finds(name, path))).toEqual([false, true, true]);
  expect(search.finds('b', first)).toBe(false); // another path, without the folder of the last one
  expect([join(second, 'b'), join(second, 'a')].map((name) => search.finds(name, ''))).toEqual([true, false]);
});
