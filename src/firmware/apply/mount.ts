import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { deviceNumbers } from './disk.ts';

/** Layers (partition, dm-crypt, LVM, RAID, …) that may lie between a file system and the disk. */
const maxLayers = 6;

/**
 * Where file systems of a block device, or of anything on it, are mounted or used as swap. Of a path that is no block
 * device: nothing. Linux; what sysfs does not show is not found.
 */
export async function mountPointsOn(device: string): Promise<string[]> {
  const found = await stat(device).catch(() => undefined);
  if (!found?.isBlockDevice()) return [];
  const goal = numberText(found.rdev);
  const points: string[] = [];
  for (const { number, shown } of [...(await mounts()), ...(await swaps())]) {
    if (await liesOn(number, goal, maxLayers)) points.push(shown);
  }
  return points;
}

interface Use {
  readonly number: string;
  readonly shown: string;
}

/** `36 35 98:0 /root /mount\040point …`: the third field is the device, the fifth the place, with octal escapes. */
async function mounts(): Promise<Use[]> {
  const text = await readFile('/proc/self/mountinfo', 'latin1').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, , number, , place] = line.split(' ');
    return number === undefined || place === undefined ? [] : [{ number, shown: unescaped(place) }];
  });
}

/** A header, then `/dev/sda3 partition …`. */
async function swaps(): Promise<Use[]> {
  const text = await readFile('/proc/swaps', 'latin1').catch(() => '');
  const paths = text.split('\n').slice(1).map((line) => unescaped(line.split(/\s/)[0]!)); // prettier-ignore
  const found = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  return found.flatMap((each, index) =>
    each?.isBlockDevice() ? [{ number: numberText(each.rdev), shown: `${paths[index]} (swap)` }] : [],
  );
}

export function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Whether a device is the goal, a partition of it, or built upon it. */
async function liesOn(current: string, goal: string, layersLeft: number): Promise<boolean> {
  if (current === goal) return true;
  if (layersLeft === 0) return false;
  const folder = await realpath(`/sys/dev/block/${current}`).catch(() => undefined);
  if (folder === undefined) return false;
  const below = (await readdir(`${folder}/slaves`).catch(() => [])).map((name) => `${folder}/slaves/${name}`);
  if (await stat(`${folder}/partition`).catch(() => undefined)) below.push(dirname(folder));
  for (const each of below) {
    const next = await readFile(`${each}/dev`, 'latin1').catch(() => undefined);
    if (next !== undefined && (await liesOn(next.trim(), goal, layersLeft - 1))) return true;
  }
  return false;
}

function numberText(device: number): string {
  const { major, minor } = deviceNumbers(device);
  return `${major}:${minor}`;
}
