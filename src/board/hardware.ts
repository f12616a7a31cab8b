import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** `hardware.json` of a board: what is soldered, not what is on the disk. */
export interface Hardware {
  deviceId: string;
  /** Silence of the watchdog file after which the board resets itself. */
  watchdogMs: number;
  /** The same from power-on to the first touch: a start takes longer than a beat. */
  firstTouchMs: number;
}

/** The folder of a board. The disk is an image; the data partition is a folder, because a process cannot mount one. */
export interface BoardPath {
  hardware: string;
  disk: string;
  data: string;
  /** Made anew at each boot. */
  run: string;
  rootfs: string;
  bootId: string;
  slot: string;
  watchdog: string;
  reboot: string;
  log: string;
  console: string;
}

export function boardPaths(dir: string): BoardPath {
  const run = join(dir, 'run');
  return {
    hardware: join(dir, 'hardware.json'),
    disk: join(dir, 'disk.img'),
    data: join(dir, 'data'),
    run,
    rootfs: join(run, 'rootfs'),
    bootId: join(run, 'boot_id'),
    slot: join(run, 'slot'),
    watchdog: join(run, 'watchdog'),
    reboot: join(run, 'reboot'),
    log: join(dir, 'board.log'),
    console: join(dir, 'console.log'),
  };
}

export const readHardware = async (dir: string): Promise<Hardware> =>
  JSON.parse(await readFile(boardPaths(dir).hardware, 'utf8')) as Hardware;
