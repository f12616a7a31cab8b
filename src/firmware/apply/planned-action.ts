import { parseBlockNumber } from '../config/call-spec.ts';
import type { ResourceRecord } from '../config/resource.ts';
import type { Call, Section } from '../config/section.ts';
import { configError, fromByteString, type ByteString } from '../config/source-text.ts';
import { FlotillaError } from '../../error.ts';
import type { EnvironmentAccess } from './environment-access.ts';
import type { FatVolumes } from './fat/volume-set.ts';
import type { Progress } from './progress.ts';
import type { SegmentCache } from './segment-cache.ts';

/** What an action works on. */
export interface ActionContext {
  readonly cache: SegmentCache;
  /** Blocks of the destination as it is now, 0 if unknown. */
  readonly diskBlocks: number;
  readonly progress: Progress;
  readonly onInfo: (text: string) => void;
  readonly signal: AbortSignal | undefined;
  /** Whether actions may touch the machine beside the destination: run commands, write other files. */
  readonly unsafe: boolean;
  /** Whether to do as fwup does where that is of no good. */
  readonly asFwup: boolean;
  /** For commands that are run. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Where reboot_param goes; undefined: where systemd, then Nerves looks for it. */
  readonly rebootParamPath: string | undefined;
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
  /** Reaches beyond the destination: runs only where that is allowed. */
  readonly needsUnsafe?: boolean;
  run(context: ActionContext, data: AsyncIterable<Buffer>): Promise<void>;
}

export interface PlanInput {
  readonly call: Call;
  readonly root: Section;
  /** Of the on-resource section. */
  readonly record: ResourceRecord | undefined;
}

export type Planner = (input: PlanInput) => PlannedAction;

/** A numeric argument: blocks, counts, a byte. */
export function numberArgument({ args, place }: Call, index: number): number {
  const value = parseBlockNumber(args[index] ?? '');
  if (value === undefined) throw configError(place, `not a number: '${fromByteString(args[index] ?? '')}'`);
  return value;
}

export function unsafeRefused(name: string): FlotillaError {
  return new FlotillaError('refused', 'firmware-unsafe', `${name} requires --unsafe`, {
    suggestion: 'it reaches beyond the destination: allow it only for bundles that you trust with this machine',
  });
}

export function resourceOf({ call, record }: PlanInput): ResourceRecord {
  if (record) return record;
  throw configError(call.place, `${fromByteString(call.name)} only usable in on-resource`);
}
