import { execa } from 'execa';
import { readFileSync, statSync } from 'node:fs';
import { deviceNumbers } from '../apply/disk.ts';
import { unescaped } from '../apply/mount.ts';

export interface MemoryCard {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Smaller ones are card readers without a card. */
const minCardBytes = 65_536;
const cardMajor = 179; // mmcblk
const maxCards = 16;

/** Drives that can be taken out, except the one that holds the root file system. Linux. */
export function findMemoryCards(): MemoryCard[] {
  const names = [
    ...Array.from({ length: 25 }, (_, index) => `sd${String.fromCharCode(97 + index)}`),
    ...Array.from({ length: 16 }, (_, index) => `mmcblk${index}`),
  ];
  const root = statSync('/').dev & 0xfff0; // the disk of its partition
  return names.flatMap((name) => cardOf(name, root)).slice(0, maxCards);
}

function cardOf(name: string, root: number): MemoryCard[] {
  const path = `/dev/${name}`;
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found || found.rdev === root) return [];
  const sizeBytes = Number(readSysfs(name, 'size')) * 512;
  const removable = deviceNumbers(found.rdev).major === cardMajor || readSysfs(name, 'removable').startsWith('1');
  return removable && sizeBytes >= minCardBytes ? [{ path, sizeBytes }] : [];
}

function readSysfs(name: string, file: string): string {
  try {
    return readFileSync(`/sys/block/${name}/${file}`, 'latin1').trim();
  } catch {
    return '0';
  }
}

/** Unmounts whatever of a device is mounted; gives the mount points where that failed. */
export async function unmountAll(device: string): Promise<string[]> {
  const failed: string[] = [];
  for (const line of readFileSync('/proc/mounts', 'latin1').split('\n')) {
    const [source = '', escaped = ''] = line.split(' ');
    if (source === '' || !source.startsWith(device)) continue;
    const mountPoint = unescaped(escaped);
    const { exitCode } = await execa('umount', [mountPoint], { reject: false, stdin: 'ignore', stdout: 'ignore' });
    if (exitCode !== 0) failed.push(mountPoint);
  }
  return failed;
}
