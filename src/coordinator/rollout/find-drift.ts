/** What is no longer as a plan has it. Everything is looked up anew: the file says only what its reader has seen. */
import type { RolloutPlan } from '../../client/contract/rollout-plan.ts';
import { pinTag } from './offer-rule.ts';

export interface Drift {
  /** Absent: of the release. */
  deviceId?: string;
  what: string;
}

export interface DriftFacts {
  device(deviceId: string):
    | {
        state: string;
        running?: { bundleUuid?: string; version?: string };
        instanceId?: string;
        quarantinedBundles: readonly string[];
        tags: Readonly<Record<string, string>>;
        replacedBy?: string;
      }
    | undefined;
  /** Who matches now. */
  matched: ReadonlySet<string>;
  excluded: ReadonlySet<string>;
  /** Of each phase of the plan: who matches its selector; undefined: everybody. */
  phases: readonly (ReadonlySet<string> | undefined)[];
  release: { id: string; bundleUuid: string; sha256: string } | undefined;
}

export function findDrift(plan: RolloutPlan, facts: DriftFacts): Drift[] {
  const other = releaseDrift(plan, facts);
  if (other !== undefined) return [{ what: other }];
  const planned = new Set(plan.targets.map(({ deviceId }) => deviceId));
  const drifts: Drift[] = [];
  for (const target of plan.targets) {
    const what = driftOf(target, plan, facts);
    if (what !== undefined) drifts.push({ deviceId: target.deviceId, what });
  }
  for (const deviceId of facts.matched) {
    const pinned = facts.device(deviceId)?.tags[pinTag] !== undefined;
    if (!planned.has(deviceId) && !facts.excluded.has(deviceId) && !pinned)
      drifts.push({ deviceId, what: 'matches now, and is not in the plan' });
  }
  return drifts;
}

function releaseDrift({ release }: RolloutPlan, { release: now }: DriftFacts): string | undefined {
  if (release === undefined) return undefined;
  if (now === undefined) return `there is no release ${release.id} any more`;
  if (now.id !== release.id) return `the release is ${now.id}, and was ${release.id}`;
  if (now.bundleUuid === release.bundleUuid && now.sha256 === release.sha256) return undefined;
  return `the release ${release.id} is another bundle than it was`;
}

function driftOf(target: RolloutPlan['targets'][number], plan: RolloutPlan, facts: DriftFacts): string | undefined {
  const device = facts.device(target.deviceId);
  if (device === undefined) return 'was removed from the fleet';
  if (device.replacedBy !== undefined) return `was replaced by ${device.replacedBy}`;
  if (device.state !== 'accepted') return `is ${device.state}`;
  if (device.instanceId !== target.instanceId)
    return `was set up anew: its history is ${device.instanceId ?? 'none'}, and was ${target.instanceId ?? 'none'}`;
  if (plan.release !== undefined && device.quarantinedBundles.includes(plan.release.bundleUuid))
    return 'has reverted this bundle';
  const pin = device.tags[pinTag];
  if (pin !== undefined) return `is held by the tag ${pinTag}: ${pin}`;
  if (!facts.matched.has(target.deviceId)) return `does not match '${plan.policy.selector}' any more`;
  if (facts.excluded.has(target.deviceId)) return `matches the exclusion '${plan.policy.exclude}'`;
  if (facts.phases[target.phase - 1]?.has(target.deviceId) === false)
    return `does not match the selector of phase ${target.phase} any more`;
  if (device.running?.bundleUuid !== target.runs)
    return `runs ${nameOf(device.running)}, and ran ${nameOf({ bundleUuid: target.runs, version: target.version })}`;
  return tagDrift(target.tags ?? {}, device.tags);
}

/** Somebody has said something about the device that whoever read the plan did not know. */
function tagDrift(then: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string | undefined {
  const keys = [...new Set([...Object.keys(then), ...Object.keys(now)])].filter((key) => then[key] !== now[key]);
  if (keys.length === 0) return undefined;
  const told = keys.toSorted().map((key) => `${key} is ${now[key] ?? 'gone'}, and was ${then[key] ?? 'not there'}`);
  return `has other tags: ${told.join('; ')}`;
}

function nameOf(running: { bundleUuid?: string | undefined; version?: string | undefined } | undefined): string {
  return running?.version ?? running?.bundleUuid ?? 'nothing that is known';
}
