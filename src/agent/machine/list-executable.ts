import { access, constants, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const maxExecutables = 64;

/** Names of the executable files of a folder (links are followed), in their order; none where there is no folder. */
export async function listExecutables(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const names: string[] = [];
  for (const { name } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (name.startsWith('.') || names.length === maxExecutables) continue;
    if (await isExecutable(join(directory, name))) names.push(name);
  }
  return names;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    if (!(await stat(path)).isFile()) return false;
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
