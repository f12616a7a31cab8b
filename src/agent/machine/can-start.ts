import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** Would execvp(3) find a program of this name that this process may run? */
export function canStart(file: string, path: string): boolean {
  if (file.includes('/')) return isExecutable(file);
  return file !== '' && path.split(':').some((directory) => isExecutable(join(directory || '.', file)));
}

function isExecutable(path: string): boolean {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
