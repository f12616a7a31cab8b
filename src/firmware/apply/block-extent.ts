/** Where on a disk the file system of a path lies, as far as Linux tells. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { BlockRange } from '../layout/block-range.ts';
import { deviceNumbers } from './disk.ts';
import { unescaped } from './mount.ts';

/**
 * `extents`: blocks of the disk that may hold the path (all of what a mapped device is made of, since how it is mapped is not
 * known). `elsewhere`: it lies on other disks, or in memory. `unknown`: nothing that this machine says can tell.
 */
export type BlockExtents = { kind: 'extents'; extents: Required<BlockRange>[] } | { kind: 'elsewhere' | 'unknown' };

/** Where the kernel tells of devices and mounts. */
export interface DeviceView {
  sys: string;
  mountInfo: string;
  /** Of a path: the device that it lies on, and the one that it is, `8:1`; and which file it is. */
  look(path: string): Promise<{ on: string; is?: string; file: string }>;
}

const live: DeviceView = {
  sys: '/sys',
  mountInfo: '/proc/self/mountinfo',
  async look(path) {
    const found = await stat(path);
    const isDevice = found.isBlockDevice() ? { is: numberText(found.rdev) } : {};
    return { on: numberText(found.dev), ...isDevice, file: `${found.dev}/${found.ino}` };
  },
};

/** Layers (partition, dm-crypt, LVM, RAID, loop, overlay, …) that may lie between a file system and the disk. */
const maxLayers = 6;

/** @param disk a block device, or an image file that a loop device may show */
export async function blockExtents(path: string, disk: string, view: DeviceView = live): Promise<BlockExtents> {
  const goal = await view.look(disk);
  const found = await pathExtents(path, goal, view, maxLayers);
  if (found === undefined) return { kind: 'unknown' };
  return found.length === 0 ? { kind: 'elsewhere' } : { kind: 'extents', extents: found };
}

type Goal = Awaited<ReturnType<DeviceView['look']>>;
/** Undefined: not known. */
type Found = Required<BlockRange>[] | undefined;

async function pathExtents(path: string, goal: Goal, view: DeviceView, layersLeft: number): Promise<Found> {
  if (layersLeft === 0) return undefined;
  const { on } = await view.look(path);
  if (!on.startsWith('0:')) return deviceExtents(on, goal, view, layersLeft);
  // No device of its own: an overlay, btrfs, a network or memory file system.
  const mount = await mountOf(path, view);
  if (mount === undefined) return undefined;
  const upper = /(?:^|,)upperdir=([^,]+)/.exec(mount.options)?.[1];
  if (upper !== undefined) return pathExtents(upper, goal, view, layersLeft - 1);
  if (/^(?:tmpfs|ramfs|nfs4?|cifs|ubifs|jffs2)$/.test(mount.type)) return [];
  if (!mount.source.startsWith('/')) return undefined;
  const { is } = await view.look(mount.source);
  return is === undefined ? undefined : deviceExtents(is, goal, view, layersLeft);
}

async function deviceExtents(number: string, goal: Goal, view: DeviceView, layersLeft: number): Promise<Found> {
  if (layersLeft === 0) return undefined;
  const folder = await realpath(`${view.sys}/dev/block/${number}`).catch(() => undefined);
  if (folder === undefined) return undefined;
  const size = await numberIn(`${folder}/size`);
  if (size === undefined) return undefined;
  if (number === goal.is) return [{ firstBlock: 0, blockCount: size }];
  const start = await numberIn(`${folder}/start`);
  if (start !== undefined) {
    const parent = (await readFile(`${dirname(folder)}/dev`, 'latin1').catch(() => '')).trim();
    const whole = parent === '' ? undefined : await deviceExtents(parent, goal, view, layersLeft - 1);
    // Of a disk that is the goal this is the partition's place; of one that is made of others, all of those.
    return whole?.length === 1 && (await isPlain(parent, goal, view))
      ? [{ firstBlock: whole[0]!.firstBlock + start, blockCount: size }]
      : whole;
  }
  const backing = await readFile(`${folder}/loop/backing_file`, 'latin1').catch(() => undefined);
  if (backing !== undefined) {
    const file = unescaped(backing.trim());
    const offset = (await numberIn(`${folder}/loop/offset`)) ?? 0;
    const same = await view.look(file).then(
      (found) => found.file === goal.file,
      () => undefined,
    );
    if (same === undefined) return undefined;
    if (same) return [{ firstBlock: Math.floor(offset / 512), blockCount: size }];
    return pathExtents(file, goal, view, layersLeft - 1);
  }
  const slaves = await readdir(`${folder}/slaves`).catch(() => []);
  const found: Required<BlockRange>[] = [];
  for (const name of slaves) {
    const below = (await readFile(`${folder}/slaves/${name}/dev`, 'latin1').catch(() => '')).trim();
    const part = below === '' ? undefined : await deviceExtents(below, goal, view, layersLeft - 1);
    if (part === undefined) return undefined;
    found.push(...part);
  }
  return found;
}

/** The goal itself, or a loop device that shows it: blocks count from where it begins. */
async function isPlain(number: string, goal: Goal, view: DeviceView): Promise<boolean> {
  if (number === goal.is) return true;
  const backing = await readFile(`${view.sys}/dev/block/${number}/loop/backing_file`, 'latin1').catch(() => undefined);
  if (backing === undefined) return false;
  return view.look(unescaped(backing.trim())).then(
    (found) => found.file === goal.file,
    () => false,
  );
}

interface Mount {
  place: string;
  type: string;
  source: string;
  options: string;
}

/** `36 35 0:30 /root /place options - type source options`: the one that covers the path, the last of several. */
async function mountOf(path: string, view: DeviceView): Promise<Mount | undefined> {
  const text = await readFile(view.mountInfo, 'latin1').catch(() => '');
  const whole = resolve(path);
  let best: Mount | undefined;
  for (const line of text.split('\n')) {
    const [head = '', tail = ''] = line.split(' - ');
    const place = unescaped(head.split(' ')[4] ?? '');
    const [type = '', source = '', options = ''] = tail.split(' ');
    const covers = place === '/' || whole === place || whole.startsWith(`${place}/`);
    if (place === '' || !covers || (best !== undefined && place.length < best.place.length)) continue;
    best = { place, type, source: unescaped(source), options: unescaped(options) };
  }
  return best;
}

async function numberIn(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'latin1').catch(() => '');
  return /^\d{1,15}\s*$/.test(text) ? Number(text) : undefined;
}

function numberText(device: number): string {
  const { major, minor } = deviceNumbers(device);
  return `${major}:${minor}`;
}
