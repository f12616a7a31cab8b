/** A hand on the power switch: waits for the moment on the device's own disk, cuts, and notes what is left. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { VirtualBoard } from '../board/index.ts';
import type { Release } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import type { PowerCut } from './demo-report.ts';
import { readDiskState } from './disk-state.ts';

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

const timeoutMs = 40_000;
/** In a download: when so much of the bundle has come. */
const downloadShare = 0.3;

/** Resolves when the power is off. */
export async function cutPowerDuring(option: CutOption): Promise<PowerCut> {
  const { board, phase, release, releases, toldState, signal } = option;
  const bootId = bootIdOf(await board.readLog());
  const moment = phase === 'download' ? downloadMoment(board, release) : installMoment(board);
  const end = performance.now() + timeoutMs;
  while (!moment()) {
    if (performance.now() > end) {
      throw new FlotillaError('failed', 'demo-no-moment', `${board.deviceId} was not seen in mid-${phase}`, {
        expected: `within ${timeoutMs / 1000} s`,
      });
    }
    await delay(1, undefined, { signal });
  }
  const told = toldState();
  await board.powerOff();
  return {
    deviceId: board.deviceId,
    phase,
    atMs: Date.now(),
    bootId,
    toldState: told,
    sizeBytes: release.sizeBytes,
    ...(phase === 'download' ? { haveBytes: bundleBytes(board) } : {}),
    disk: await readDiskState(board.path.disk, releases),
  };
}

function downloadMoment(board: VirtualBoard, { sizeBytes }: Release): () => boolean {
  return () => bundleBytes(board) > sizeBytes * downloadShare;
}

/** Nothing but an installation writes this disk while a proven slot runs. */
function installMoment(board: VirtualBoard): () => boolean {
  const before = statSync(board.path.disk).mtimeMs;
  return () => statSync(board.path.disk).mtimeMs !== before;
}

/** Size of the partial bundle on the data partition. */
function bundleBytes(board: VirtualBoard): number {
  return statSync(join(board.path.data, 'state', 'download.fw'), { throwIfNoEntry: false })?.size ?? 0;
}

function bootIdOf(log: Awaited<ReturnType<VirtualBoard['readLog']>>): string {
  return log.findLast((record) => record.event === 'boot')?.bootId ?? '';
}
