import type { blockExtents, readTaskTouches } from '../../firmware/index.ts';
import type { UpdateReason } from './update.ts';

export interface DataGuardOption {
  /** The bundle, which is proved. */
  path: string;
  publicKeys: readonly Buffer[];
  /** The tasks that may be run: those whose titles begin so. */
  task: string;
  destination: string;
  /** Where the agent keeps its state. */
  state: string;
}

/** What it needs of the engine, which is loaded with the first bundle. */
export interface GuardEngine {
  blockExtents: typeof blockExtents;
  readTaskTouches: typeof readTaskTouches;
}

/**
 * Why this bundle must not be installed: a task of it writes where the agent keeps its key, its log, and the very record
 * of this update. Undefined: no task does, or the machine does not tell where that is.
 */
export async function dataObstacle(option: DataGuardOption, engine: GuardEngine): Promise<UpdateReason | undefined> {
  const { path, publicKeys, task, destination, state } = option;
  const place = await engine.blockExtents(state, destination);
  if (place.kind !== 'extents') return undefined;
  const [touch] = await engine.readTaskTouches(path, { publicKeys, task, ranges: place.extents });
  if (touch === undefined) return undefined;
  return {
    code: 'data-partition-touched',
    message: `${touch.task}: ${touch.action} (${touch.where} of ${destination}) touches the partition of the agent's state`,
  };
}
