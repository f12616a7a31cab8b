/** Where this package's own programs are, from the sources and from dist/ alike. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The nearest folder above this file that holds `relative`. */
function above(relative: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const place = join(folder, relative);
    if (existsSync(place)) return place;
    if (folder === dirname(folder)) throw new Error(`${relative} is not in this package`);
  }
}

export const launcherPath = (): string => above(join('src', 'bin', 'launcher.cjs'));

/** The example product's folder. */
export const productPath = (): string => dirname(above(join('firmware', 'fwup.conf')));

export function boardProcessArgv(dir: string): string[] {
  const built = import.meta.url.endsWith('.js');
  return [process.execPath, above(join('src', 'bin', built ? 'board.js' : 'board.ts')), '--dir', dir];
}
