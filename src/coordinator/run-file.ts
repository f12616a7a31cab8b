import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What `run/coordinator.json` says of the process that runs now. */
export interface RunFile {
  pid: number;
  port: number;
  startedAtMs: number;
}

const name = 'coordinator.json';

/** Written whole or not at all. */
export async function writeRunFile(runDirectory: string, content: RunFile): Promise<void> {
  await mkdir(runDirectory, { recursive: true, mode: 0o700 });
  const temporary = join(runDirectory, `${name}.${process.pid}`);
  try {
    await using file = await open(temporary, 'w', 0o600);
    await file.writeFile(`${JSON.stringify(content)}\n`);
    await file.sync();
    await rename(temporary, join(runDirectory, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Undefined when there is none, or none that can be read. */
export async function readRunFile(runDirectory: string): Promise<RunFile | undefined> {
  try {
    const content = JSON.parse(await readFile(join(runDirectory, name), 'utf8')) as RunFile;
    return Number.isInteger(content.pid) ? content : undefined;
  } catch {
    return undefined;
  }
}

export async function removeRunFile(runDirectory: string): Promise<void> {
  await rm(join(runDirectory, name), { force: true });
}
