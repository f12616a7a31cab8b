import { parseBlockNumber } from '../config/call-spec.ts';
import type { Call } from '../config/section.ts';
import { fromByteString, unsupportedError } from '../config/source-text.ts';
import { fatRequirementHolds } from './fat/fat-requirement.ts';
import type { ActionContext } from './planned-action.ts';

/** Whether a requirement of a task holds on the destination. Reads only. */
export async function requirementHolds(
  call: Call,
  context: Pick<ActionContext, 'cache' | 'environment' | 'fat'>,
): Promise<boolean> {
  const [first = '', second = '', third = ''] = call.args;
  switch (call.name) {
    case 'require-uboot-variable': {
      const environment = context.environment(first);
      return (await environment.isValid()) && (await environment.value(second)) === third;
    }
    case 'require-partition-offset': {
      const index = parseBlockNumber(first);
      const sector = await context.cache.read(0, 512);
      if (index === undefined || index > 3 || sector.readUInt16LE(510) !== 0xaa55) return false;
      return sector.readUInt32LE(446 + index * 16 + 8) === parseBlockNumber(second);
    }
    case 'require-fat-file-exists':
    case 'require-fat-file-match':
      return fatRequirementHolds(call, context.fat);
    default:
      throw unsupportedError(call.place, fromByteString(call.name));
  }
}
