import { parseBlockNumber } from '../config/call-spec.ts';
import type { ResourceRecord } from '../config/resource.ts';
import type { Call, Section } from '../config/section.ts';
import { configError, fromByteString, unsupportedError, type ByteString } from '../config/source-text.ts';
import { FlotillaError } from '../../error.ts';
import type { EnvironmentAccess } from './environment-access.ts';
import { encodeMbr, mbrTable } from './mbr.ts';
import type { Progress } from './progress.ts';
import { writeRaw } from './raw-write.ts';
import { blockBytes, segmentBytes, type SegmentCache } from './segment-cache.ts';
import { ubootLayout } from './uboot-environment.ts';

/** What an action works on. */
export interface ActionContext {
  readonly cache: SegmentCache;
  /** Blocks of the destination, 0 if unknown. */
  readonly diskBlocks: number;
  readonly progress: Progress;
  readonly onInfo: (text: string) => void;
  readonly signal: AbortSignal | undefined;
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

interface PlanInput {
  readonly call: Call;
  readonly root: Section;
  /** Of the on-resource section. */
  readonly record: ResourceRecord | undefined;
}

type Planner = (input: PlanInput) => PlannedAction;

const planners: Record<string, Planner> = {
  raw_write: planRawWrite,
  raw_memset: planRawMemset,
  mbr_write: planMbrWrite,
  trim: planTrim,
  uboot_clearenv: (input) => planEnvironment(input, (environment) => environment.clear()),
  uboot_recover: (input) =>
    planEnvironment(input, async (environment) => {
      if (!(await environment.isValid())) await environment.clear();
    }),
  uboot_setenv: (input) =>
    planEnvironment(input, (environment, [name, value]) => environment.set(name ?? '', value ?? '')),
  uboot_unsetenv: (input) =>
    planEnvironment(input, (environment, [name]) => environment.change((variables) => variables.delete(name ?? ''))),
  info: ({ call }) => effect(async ({ onInfo }) => onInfo(fromByteString(call.args[0] ?? ''))),
  error: ({ call }) =>
    effect(async () => {
      throw new FlotillaError('failed', 'firmware-task-error', fromByteString(call.args[0] ?? ''));
    }),
};

export function planAction(input: PlanInput): PlannedAction {
  const planner = planners[input.call.name];
  if (!planner) throw unsupportedError(input.call.place, fromByteString(input.call.name));
  return planner(input);
}

function effect(run: PlannedAction['run']): PlannedAction {
  return { units: 0, endBytes: 0, readsData: false, run };
}

function number({ args, place }: Call, index: number): number {
  const value = parseBlockNumber(args[index] ?? '');
  if (value === undefined) throw configError(place, `not a number: '${fromByteString(args[index] ?? '')}'`);
  return value;
}

function planRawWrite({ call, record }: PlanInput): PlannedAction {
  if (!record) throw configError(call.place, 'raw_write only usable in on-resource');
  const start = number(call, 0) * blockBytes;
  return {
    units: record.dataBytes,
    endBytes: start + Math.ceil(record.fileBytes / blockBytes) * blockBytes,
    readsData: true,
    run: ({ cache, progress, signal }, data) =>
      writeRaw(cache, start, record.map, data, (count) => {
        signal?.throwIfAborted();
        progress.add(count);
      }),
  };
}

function planRawMemset({ call }: PlanInput): PlannedAction {
  const start = number(call, 0) * blockBytes;
  const length = number(call, 1) * blockBytes;
  const value = number(call, 2);
  return {
    units: length,
    endBytes: start + length,
    readsData: false,
    async run({ cache, progress, signal }) {
      for (let done = 0; done < length;) {
        signal?.throwIfAborted();
        const count = Math.min(length - done, segmentBytes);
        await cache.write(start + done, Buffer.alloc(count, value), true);
        done += count;
        for (let block = 0; block < count; block += blockBytes) progress.add(blockBytes);
      }
    },
  };
}

function planMbrWrite({ call, root }: PlanInput): PlannedAction {
  const table = mbrTable(referenced(root, 'mbr', call));
  return {
    units: blockBytes,
    endBytes: (encodeMbr(table, 0).at(-1)!.block + 1) * blockBytes,
    readsData: false,
    async run({ cache, diskBlocks, progress }) {
      const blocks = encodeMbr(table, diskBlocks);
      // What the table points to first, the table last.
      for (const { block, bytes } of blocks.toReversed()) {
        cache.defer(block * blockBytes, blockBytes);
        await cache.write(block * blockBytes, bytes);
      }
      progress.add(blockBytes);
    },
  };
}

function planTrim({ call }: PlanInput): PlannedAction {
  const start = number(call, 0) * blockBytes;
  const count = number(call, 1);
  const units = Math.floor(count / 256);
  return {
    units,
    endBytes: 0,
    readsData: false,
    async run({ cache, progress }) {
      cache.trim(start, count * blockBytes);
      progress.add(units);
    },
  };
}

function planEnvironment(
  { call, root }: PlanInput,
  act: (environment: EnvironmentAccess, args: readonly ByteString[]) => Promise<void>,
): PlannedAction {
  const title = call.args[0] ?? '';
  const layout = ubootLayout(referenced(root, 'uboot-environment', call));
  const length = layout.blockCount * blockBytes;
  const isRedundant = layout.blockOffsetRedund !== undefined;
  const units = isRedundant ? 2 * length : length;
  return {
    units,
    endBytes: Math.max(layout.blockOffset, layout.blockOffsetRedund ?? 0) * blockBytes + length,
    readsData: false,
    async run(context) {
      await act(context.environment(title), call.args.slice(1));
      context.progress.add(units);
    },
  };
}

function referenced(root: Section, kind: string, call: Call): Section {
  const section = root.find(kind, call.args[0] ?? '');
  if (section) return section;
  throw configError(
    call.place,
    `${fromByteString(call.name)} can't find ${kind} '${fromByteString(call.args[0] ?? '')}'`,
  );
}
