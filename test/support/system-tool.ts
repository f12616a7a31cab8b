/** Programs of the system that some tests compare with. Where one is missing, the tests that need it say so and are skipped. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Administration tools are in sbin, which is not on everybody's PATH. */
export const toolPath = [process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(':');

/** Says on stderr what is not there; the line stands in the output of CI. */
export function hasTools(purpose: string, ...names: string[]): boolean {
  const missing = names.filter((name) => !toolPath.split(':').some((folder) => isProgram(join(folder, name))));
  if (missing.length > 0) process.stderr.write(`skipped for want of ${missing.join(', ')}: ${purpose}\n`);
  return missing.length === 0;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
