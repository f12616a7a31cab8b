import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** Looks for programs first where it has found the last one: most of what a device runs lies in one folder. */
export class ProgramSearch {
  #last = '';

  /** Would execvp(3) find a program of this name that this process may run? */
  finds(file: string, path: string): boolean {
    if (file.includes('/')) return isExecutable(file);
    if (file === '') return false;
    const directories = path.split(':');
    if (directories.includes(this.#last) && isExecutable(inside(this.#last, file))) return true;
    const directory = directories.find((each) => isExecutable(inside(each, file)));
    if (directory === undefined) return false;
    this.#last = directory;
    return true;
  }
}

/** An empty one is where this process is. */
function inside(directory: string, file: string): string {
  return join(directory || '.', file);
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
