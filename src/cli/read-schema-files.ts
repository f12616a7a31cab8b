import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError } from '../error.ts';
import { readInput } from './read-input.ts';

export interface SchemaFile {
  /** The path as it was given. */
  label: string;
  text: string;
}

const what = 'an Avro schema in JSON';

/**
 * The files in the order given; of a folder every *.avsc, by name, with numbers in it by their value: `v2` goes before
 * `v10`. For one event type the order is that of age.
 */
export async function readSchemaFiles(paths: readonly string[]): Promise<SchemaFile[]> {
  const files: SchemaFile[] = [];
  for (const path of paths) {
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      () => false, // reading it says why
    );
    if (!isFolder) files.push(await readOne(path));
    else {
      const names = (await readdir(path)).filter((name) => name.endsWith('.avsc'));
      if (names.length === 0) {
        throw new FlotillaError('usage', 'schema-none', `there is no schema in ${path}`, { expected: 'files *.avsc' });
      }
      for (const name of names.toSorted(byNumber)) files.push(await readOne(join(path, name)));
    }
  }
  return files;
}

async function readOne(path: string): Promise<SchemaFile> {
  return { label: path, text: (await readInput(path, what)).toString('utf8') };
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
