import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';

const maxHashedBytes = 64 * 1024 * 1024;

/** Twelve hex digits of SHA-256 over the command and the files that it names: what ran, when nobody gave it a name. */
export async function handlerVersion(argv: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const word of argv) {
    hash.update(`${word}\0`);
    const file = await stat(word).catch(() => undefined);
    if (file?.isFile() === true && file.size <= maxHashedBytes) hash.update(await readFile(word).catch(() => ''));
  }
  return hash.digest('hex').slice(0, 12);
}
