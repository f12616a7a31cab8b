import { readdir, readFile, stat } from 'node:fs/promises';
import { deviceNumbers } from './disk.ts';

/** How many layers (dm-crypt, LVM, …) may lie between a file system and the disk. */
const maxLayers = 3;

/** Whether the file system of `path` is on the device `device`, directly or through mapped devices. */
export async function isPathOnDevice(path: string, device: string): Promise<boolean> {
  const found = await Promise.all([stat(path), stat(device)]).catch(() => undefined);
  if (!found) return false;
  return leadsTo(numberText(found[0].dev), numberText(found[1].rdev), maxLayers);
}

/** Whether the partition that holds `path` begins at block `block` of its disk. */
export async function isPathAtOffset(path: string, block: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return false;
  const start = await readFile(`/sys/dev/block/${numberText(found.dev)}/start`, 'latin1').catch(() => undefined);
  return start !== undefined && Number(start.trim()) === block;
}

async function leadsTo(current: string, goal: string, layersLeft: number): Promise<boolean> {
  if (current === goal) return true;
  if (layersLeft === 0) return false;
  const slaves = `/sys/dev/block/${current}/slaves`;
  for (const name of await readdir(slaves).catch(() => [])) {
    const next = await readFile(`${slaves}/${name}/dev`, 'latin1').catch(() => undefined);
    if (next !== undefined && (await leadsTo(next.trim(), goal, layersLeft - 1))) return true;
  }
  return false;
}

function numberText(device: number): string {
  const { major, minor } = deviceNumbers(device);
  return `${major}:${minor}`;
}
