import { parseBlockNumber } from '../config/call-spec.ts';
import type { ResourceRecord } from '../config/resource.ts';
import type { Call, Section } from '../config/section.ts';
import { configError, fromByteString, type ByteString } from '../config/source-text.ts';
import type { EnvironmentAccess } from './environment-access.ts';
import type { FatVolumes } from './fat/volume-set.ts';
import type { Progress } from './progress.ts';
import type { SegmentCache } from './segment-cache.ts';

/** What an action works on. */
export interface ActionContext {
  readonly cache: SegmentCache;
  /** Blocks of the destination, 0 if unknown. */
  readonly diskBlocks: number;
  readonly progress: Progress;
  readonly onInfo: (text: string) => void;
  readonly signal: AbortSignal | undefined;
  /** The FAT file systems on it. */
  readonly fat: FatVolumes;
  environment(title: ByteString): EnvironmentAccess;
}

/** An action whose arguments have been read; planning one writes nothing. */
export interface PlannedAction {
  /** Of the progress. */
  readonly units: number;
  /** The first byte of the destination that it surely does not touch. */
  readonly endBytes: number;
  readonly readsData: boolean;
  run(context: ActionContext, data: AsyncIterable<Buffer>): Promise<void>;
}

export interface PlanInput {
  readonly call: Call;
  readonly root: Section;
  /** Of the on-resource section. */
  readonly record: ResourceRecord | undefined;
}

export type Planner = (input: PlanInput) => PlannedAction;

/** A number among the arguments of a call that was checked. */
export function numberArgument({ args, place }: Call, index: number): number {
  const value = parseBlockNumber(args[index] ?? '');
  if (value === undefined) throw configError(place, `not a number: '${fromByteString(args[index] ?? '')}'`);
  return value;
}
