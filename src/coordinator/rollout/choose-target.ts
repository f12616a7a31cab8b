import type { RolloutRequest } from '../../client/contract/rollout.ts';
import { pinTag } from './offer-rule.ts';

export interface LeftOut {
  deviceId: string;
  why: string;
}

/** Who of those that match is meant: not the excluded ones, and not those that an operator holds where they are. */
export function chooseTargets(
  { exclude }: Pick<RolloutRequest, 'exclude'>,
  matched: readonly string[],
  context: { select(selector: string): ReadonlySet<string>; pin(deviceId: string): string | undefined },
): { targets: string[]; leftOut: LeftOut[] } {
  const excluded = exclude === undefined ? undefined : context.select(exclude);
  const targets: string[] = [];
  const leftOut: LeftOut[] = [];
  for (const deviceId of matched) {
    const pin = context.pin(deviceId);
    if (excluded?.has(deviceId) === true) leftOut.push({ deviceId, why: `matches the exclusion ${exclude}` });
    else if (pin !== undefined) leftOut.push({ deviceId, why: `held by the tag ${pinTag}: ${pin}` });
    else targets.push(deviceId);
  }
  return { targets, leftOut };
}
