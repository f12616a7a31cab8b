import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from './package-root.ts';

/** By path within the package. The build of the one-file agent puts them here; everywhere else this is not declared. */
declare const embeddedAssets: Readonly<Record<string, string>> | undefined;

/** A text that comes with the package: `templates/agent.yaml`. */
export async function readPackageAsset(path: string): Promise<string> {
  if (typeof embeddedAssets === 'undefined') return readFile(join(packageRoot(), path), 'utf8');
  const text = embeddedAssets[path];
  if (text === undefined) throw new Error(`${path} was left out of the one-file agent`);
  return text;
}

export async function packageVersion(): Promise<string> {
  return (JSON.parse(await readPackageAsset('package.json')) as { version: string }).version;
}
