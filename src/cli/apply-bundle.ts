import { stat } from 'node:fs/promises';
import { FlotillaError } from '../error.ts';
import { applyBundle, mountPointsOn, verifyBundle, type ApplyOption, type ApplyResult } from '../firmware/index.ts';
import { confirmTyped } from './confirm.ts';
import { untilInterrupted } from './interrupt.ts';
import { LiveBlock } from './live-block.ts';

export interface ApplyRequest extends Omit<ApplyOption, 'path' | 'stream' | 'onProgress' | 'signal'> {
  path: string;
  yes: boolean;
  json: boolean;
}

/**
 * Applies a bundle for a person at a terminal. What is there already is written over only after a confirmation, and a
 * device that is in use never. With `dryRun` the whole bundle is proved instead, and nothing is written.
 */
export async function applyAsked({ yes, json, ...option }: ApplyRequest): Promise<ApplyResult> {
  const { destinationPath, dryRun = false } = option;
  await refuseMounted(destinationPath);
  if (dryRun) {
    await verifyBundle(option);
    return applyBundle({ ...option, engine: 'builtin' });
  }
  if (await stat(destinationPath).catch(() => undefined)) {
    const warning = `${option.task} of ${option.path} writes over ${destinationPath}`;
    await confirmTyped({ warning, answer: destinationPath, yes, json });
  }
  const live = new LiveBlock();
  const onInfo = (text: string): void => live.above(() => option.onInfo?.(text));
  const onProgress = (percent: number): void => live.paint([`${option.task}: ${percent} %`]);
  const ran = await untilInterrupted((signal) => applyBundle({ ...option, engine: 'builtin', onInfo, onProgress, signal }))
    .finally(() => live.clear()); // prettier-ignore
  if (!ran.interrupted) return ran.value;
  throw new FlotillaError('failed', 'firmware-aborted', 'applying the bundle was interrupted', {
    seen: `${destinationPath} is written in part`,
    suggestion: 'apply it again',
  });
}

async function refuseMounted(destinationPath: string): Promise<void> {
  const places = await mountPointsOn(destinationPath);
  if (places.length === 0) return;
  throw new FlotillaError('refused', 'firmware-destination-mounted', `${destinationPath} is in use`, {
    seen: `mounted at ${places.join(', ')}`,
    suggestion: 'unmount it first; a disk that the system runs from is updated by the agent',
  });
}
