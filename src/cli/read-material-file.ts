import { stat } from 'node:fs/promises';
import { maxRevocationListBytes } from '../pki/x509/revocation-list.ts';
import { FlotillaError } from '../error.ts';
import { readInput } from './read-input.ts';

export interface MaterialFile {
  /** `-` for standard input. */
  file: string;
  bytes: Buffer;
  /** Permission bits of a regular file. */
  mode?: number;
}

/** The largest is a revocation list in PEM. */
const maxBytes = Math.ceil(maxRevocationListBytes * 1.4);

/** A certificate, key, list or the like that the user named; `-` is standard input. */
export async function readMaterialFile(file: string, what: string): Promise<MaterialFile> {
  if (file === '-') {
    if (process.stdin.isTTY) {
      throw new FlotillaError('usage', 'input-missing', `standard input is a terminal, where ${what} should come`, {
        suggestion: 'name a file, or pipe it in',
      });
    }
    return { file, bytes: await readInput('/dev/stdin', what, maxBytes) };
  }
  const bytes = await readInput(file, what, maxBytes);
  const status = await stat(file).catch(() => undefined);
  return { file, bytes, ...(status?.isFile() === true ? { mode: status.mode & 0o777 } : {}) };
}
