import { parseBlockNumber } from '../config/call-spec.ts';
import type { Call, Section } from '../config/section.ts';
import { fromByteString, unsupportedError } from '../config/source-text.ts';
import { isPathAtOffset, isPathOnDevice } from './device-path.ts';
import { fatRequirementHolds } from './fat/fat-requirement.ts';
import { runShell } from './host-action.ts';
import type { ActionContext } from './planned-action.ts';

type Requirement = (args: readonly string[], context: ActionContext) => Promise<boolean>;

/** One entry for each requirement that there is. Reads only. */
const requirements: Record<string, Requirement> = {
  'require-uboot-variable': async ([title = '', name = '', value = ''], { environment }) => {
    const found = environment(title);
    return (await found.isValid()) && (await found.value(name)) === value;
  },
  'require-partition-offset': async ([slot = '', block = ''], context) =>
    (await partitionOffset(context, parseBlockNumber(slot))) === parseBlockNumber(block),
  'require-path-on-device': ([path = '', device = '']) => isPathOnDevice(fromByteString(path), fromByteString(device)),
  'require-path-at-offset': ([path = '', block = '']) =>
    isPathAtOffset(fromByteString(path), parseBlockNumber(block) ?? -1),
  'require-fat-file-exists': (args, { fat }) => fatRequirementHolds('require-fat-file-exists', args, fat),
  'require-fat-file-match': (args, { fat }) => fatRequirementHolds('require-fat-file-match', args, fat),
  'require-execute': async ([command = ''], context) =>
    context.unsafe && command !== '' && (await runShell(fromByteString(command), context)) === 0,
};

/** Whether a requirement of a task holds on the destination. */
export async function requirementHolds(call: Call, context: ActionContext): Promise<boolean> {
  const requirement = requirements[call.name];
  if (!requirement) throw unsupportedError(call.place, fromByteString(call.name));
  return requirement(call.args, context);
}

/** The obsolete require-partition1-offset is about the entry of index 1, not the first one; below 0 it asks nothing. */
export async function obsoleteRequirementHolds(task: Section, context: ActionContext): Promise<boolean> {
  const block = task.integer('require-partition1-offset') ?? -1;
  return block < 0 || (await partitionOffset(context, 1)) === block;
}

/** First block of a primary partition; undefined when there is no partition table. */
async function partitionOffset({ cache }: ActionContext, slot: number | undefined): Promise<number | undefined> {
  const sector = await cache.read(0, 512);
  if (slot === undefined || slot > 3 || sector.readUInt16LE(510) !== 0xaa55) return undefined;
  return sector.readUInt32LE(446 + slot * 16 + 8);
}
