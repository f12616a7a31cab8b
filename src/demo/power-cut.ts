/** A hand on the power switch: waits for the moment on the device's own disk, cuts, and notes what is left. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { VirtualBoard } from '../board/index.ts';
import { readLoader, readSlotPartition } from '../board/boot-medium.ts';
import type { Release } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import type { PowerCut } from './demo-report.ts';
import { readDiskState, writtenBytes } from './disk-state.ts';
import { waitUntil } from './wait-until.ts';

export interface CutOption {
  board: VirtualBoard;
  phase: PowerCut['phase'];
  releases: readonly Release[];
  /** The one that is rolled out. */
  release: Release;
  /** What the coordinator was told last. */
  toldState: () => string;
  signal: AbortSignal;
}

const timeoutMs = 60_000;
/** In a download: when so much of the bundle has come. */
const downloadShare = 0.3;
/** In an installation: when the write has come so far into the slot. */
const installBytes = 256 * 1024;

/** Resolves when the power is off. */
export async function cutPowerDuring(option: CutOption): Promise<PowerCut> {
  const { board, phase, release, releases, toldState } = option;
  const disk = board.path.disk;
  const loader = await readLoader(disk);
  const { activeSlot } = await readDiskState(disk, []);
  const target = await readSlotPartition(disk, loader, loader.slots.find(({ name }) => name !== activeSlot)!.name);
  const bootId = (await board.readLog()).findLast((record) => record.event === 'boot')?.bootId ?? '';
  await (phase === 'download' ? cutInDownload(option) : cutInInstall(option, target.offset + installBytes));
  return {
    deviceId: board.deviceId,
    phase,
    atMs: Date.now(),
    bootId,
    toldState: toldState(),
    sizeBytes: release.sizeBytes,
    haveBytes: phase === 'download' ? bundleBytes(board) : await writtenBytes(disk, target),
    disk: await readDiskState(disk, releases),
  };
}

async function cutInDownload({ board, release, signal }: CutOption): Promise<void> {
  const arrived = () => (bundleBytes(board) > release.sizeBytes * downloadShare ? true : undefined);
  await waitUntil(arrived, { what: `${board.deviceId} was seen in mid-download`, signal, timeoutMs, everyMs: 1 });
  await board.powerOff();
}

async function cutInInstall({ board, signal }: CutOption, offset: number): Promise<void> {
  const stop = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: AbortSignal.any([signal, stop.signal]) }).then(() => {
    throw new FlotillaError('failed', 'demo-not-seen', `${board.deviceId} was seen in mid-install`, {
      seen: 'nothing of it',
      expected: `within ${timeoutMs / 1000} s`,
    });
  });
  try {
    await Promise.race([board.cutPowerWhenWritten(offset), late]);
  } finally {
    stop.abort();
    late.catch(() => undefined);
  }
}

/** Size of the partial bundle on the data partition. */
function bundleBytes(board: VirtualBoard): number {
  return statSync(join(board.path.data, 'state', 'download.fw'), { throwIfNoEntry: false })?.size ?? 0;
}
