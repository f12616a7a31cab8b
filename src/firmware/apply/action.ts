import { fromByteString, configError, unsupportedError, type ByteString } from '../config/source-text.ts';
import type { Call, Section } from '../config/section.ts';
import { FlotillaError } from '../../error.ts';
import { diskCipher } from './disk-cipher.ts';
import type { EnvironmentAccess } from './environment-access.ts';
import { fatPlanners } from './fat/fat-action.ts';
import { encodeGpt, gptTable, gptUnits, leastGptBlocks } from './gpt.ts';
import { planExecute, planPathWrite, planPipeWrite, planRebootParam, planUbiVolumeWrite } from './host-action.ts';
import { encodeMbr, mbrTable } from './mbr.ts';
import { numberArgument, resourceOf, type PlanInput, type PlannedAction, type Planner } from './planned-action.ts';
import { writeRaw } from './raw-write.ts';
import { blockBytes, segmentBytes } from './segment-cache.ts';
import { ubootLayout } from './uboot-environment.ts';

/** One entry for each action that there is. */
const planners: Record<string, Planner> = {
  raw_write: planRawWrite,
  raw_memset: planRawMemset,
  mbr_write: planMbrWrite,
  gpt_write: planGptWrite,
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
  ...fatPlanners,
  path_write: planPathWrite,
  pipe_write: planPipeWrite,
  ubi_volume_write: planUbiVolumeWrite,
  execute: planExecute,
  reboot_param: planRebootParam,
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

/** Whether this engine has an action of that name. */
export function hasAction(name: ByteString): boolean {
  return Object.hasOwn(planners, name);
}

function effect(run: PlannedAction['run']): PlannedAction {
  return { units: 0, endBytes: 0, readsData: false, run };
}

function planRawWrite(input: PlanInput): PlannedAction {
  const { map, dataBytes, fileBytes } = resourceOf(input);
  const { call } = input;
  const start = numberArgument(call, 0) * blockBytes;
  const cipher = call.args.length > 1 ? diskCipher(call.args.slice(1)) : undefined;
  return {
    units: dataBytes,
    endBytes: start + Math.ceil(fileBytes / blockBytes) * blockBytes,
    readsData: true,
    run: ({ cache, progress, signal }, data) =>
      writeRaw({ cache, start, map, cipher }, data, (count) => {
        signal?.throwIfAborted();
        progress.add(count);
      }),
  };
}

function planRawMemset({ call }: PlanInput): PlannedAction {
  const start = numberArgument(call, 0) * blockBytes;
  const length = numberArgument(call, 1) * blockBytes;
  const value = numberArgument(call, 2);
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

function planGptWrite({ call, root }: PlanInput): PlannedAction {
  const table = gptTable(referenced(root, 'gpt', call));
  return {
    units: gptUnits,
    endBytes: leastGptBlocks(table) * blockBytes,
    readsData: false,
    async run({ cache, diskBlocks, progress }) {
      // The copy at the end first: while the first table is written, the copy is whole.
      for (const { block, bytes } of encodeGpt(table, diskBlocks)) {
        cache.defer(block * blockBytes, bytes.length);
        await cache.write(block * blockBytes, bytes);
      }
      progress.add(gptUnits);
    },
  };
}

function planTrim({ call }: PlanInput): PlannedAction {
  const start = numberArgument(call, 0) * blockBytes;
  const count = numberArgument(call, 1);
  const units = Math.floor(count / 256);
  return {
    units,
    endBytes: 0,
    readsData: false,
    async run({ cache, progress }) {
      cache.trim(start, count * blockBytes);
      await cache.discardOnMedium(start, count * blockBytes);
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
