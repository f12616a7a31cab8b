import type { PlannedPhase, PlannedTarget, RolloutPlan } from '../../client/contract/rollout-plan.ts';
import type { RolloutPolicy } from '../../client/contract/rollout-policy.ts';
import { nextOpening } from '../../window/index.ts';
import type { LeftOut } from './choose-target.ts';
import { contentOf } from '../../protocol/job-action.ts';
import { actionOf } from './action-of.ts';
import { conductOf } from './conduct.ts';
import { digestJson } from './digest-json.ts';
import type { OfferFacts } from './offer-facts.ts';
import { judgeWindows, usesDeviceZone } from './offer-window.ts';
import { rateLimit } from './rate.ts';
import type { RuleResult } from './rule.ts';
import type { TargetDevice } from './target-device.ts';
import type { RolloutDocument, RolloutState } from './rollout-state.ts';

export interface PlanFacts extends OfferFacts {
  /** What the registry holds. */
  device(deviceId: string):
    | {
        running?: { bundleUuid?: string; version?: string };
        instanceId?: string;
        tags: Readonly<Record<string, string>>;
      }
    | undefined;
  heldBy(deviceId: string): string | undefined;
}

/** What the estimate takes for granted: nobody knows the links of a fleet beforehand. */
const assumedBytesPerSecond = 1_048_576;
const assumedInstallSeconds = 180;
/** Of an action that brings no bundle. */
const assumedStepSeconds = 30;
const assumes = {
  release: '1 MiB/s for each device, 3 min for installation, restart and health checks; nobody fails or is away',
  action: '1 MiB/s and 30 s for each device; nobody fails or is away',
};

/** The rollout as it would begin now, for a person to read. */
export function writePlan(
  rollout: RolloutState,
  policy: RolloutPolicy,
  {
    leftOut,
    plannedBy,
    facts,
    nowMs,
  }: { leftOut: readonly LeftOut[]; plannedBy: string; facts: PlanFacts; nowMs: number },
): RolloutPlan {
  const { action, phases } = rollout.document;
  const brought = broughtBy(rollout.document);
  const targets = [...rollout.devices].map(({ deviceId, phase }): PlannedTarget => {
    const { running, instanceId, tags = {} } = facts.device(deviceId) ?? {};
    return {
      deviceId,
      phase: phase + 1,
      ...(running?.bundleUuid === undefined ? {} : { runs: running.bundleUuid }),
      ...(running?.version === undefined ? {} : { version: running.version }),
      ...(instanceId === undefined ? {} : { instanceId }),
      ...(Object.keys(tags).length === 0 ? {} : { tags: { ...tags } }),
      connected: facts.connected(deviceId),
    };
  });
  const shown = phases.map((phase, index): PlannedPhase => {
    const own = targets.filter((target) => target.phase === index + 1);
    const fetched = own.map(({ runs }) => bytesFor(rollout.document, runs, facts));
    const bytes = fetched.reduce((sum, each) => sum + each, 0);
    const noDelta = { ...facts, delta: () => undefined };
    const wholeBytes = own.reduce((sum, { runs }) => sum + bytesFor(rollout.document, runs, noDelta), 0);
    return {
      id: index + 1,
      ...(phase.name === undefined ? {} : { name: phase.name }),
      devices: own.length,
      connected: own.filter(({ connected }) => connected).length,
      soakSeconds: phase.soakSeconds,
      ...(phase.gate === undefined ? {} : { gate: phase.gate }),
      wholeBytes,
      bytes,
      estimatedSeconds: estimate(rollout, index, bytes),
    };
  });
  const sum = (key: 'bytes' | 'wholeBytes' | 'estimatedSeconds') => shown.reduce((all, phase) => all + phase[key], 0);
  const plan: Omit<RolloutPlan, 'digest'> = {
    flotillaPlan: 1,
    plannedAtMs: nowMs,
    plannedBy,
    policy,
    ...(brought === undefined ? {} : { release: brought }),
    devices: targets.length,
    wholeBytes: sum('wholeBytes'),
    bytes: sum('bytes'),
    estimatedSeconds: sum('estimatedSeconds'),
    assumes: assumes[action === undefined ? 'release' : 'action'],
    phases: shown,
    warnings: warningsOf(rollout, targets, facts, nowMs),
    leftOut: [...leftOut],
    targets,
  };
  return { ...plan, digest: digestPlan(plan) };
}

/** The release of it: firmware, or an agent. */
function broughtBy({ release, bundle, terms }: RolloutDocument): RolloutPlan['release'] {
  const brought = release === undefined || bundle === undefined ? terms?.program : { release, bundle };
  if (brought === undefined) return undefined;
  const { bundleUuid, sha256, sizeBytes } = brought.bundle;
  return { id: brought.release, bundleUuid, sha256, sizeBytes };
}

function bytesFor({ bundle, action, terms }: RolloutDocument, runs: string | undefined, facts: PlanFacts): number {
  if (bundle === undefined)
    return action?.kind === 'job' ? (contentOf(action.job)?.sizeBytes ?? 0) : (terms?.program?.bundle.sizeBytes ?? 0);
  if (runs === bundle.bundleUuid) return 0;
  const delta = runs === undefined ? undefined : facts.delta(bundle.bundleUuid, runs);
  return delta?.sizeBytes ?? bundle.sizeBytes;
}

/** Seconds of a phase: as many at a time as may be, no more offers than the rate lets, and the soak. */
function estimate({ document, tallies }: RolloutState, phase: number, bytes: number): number {
  const { policy, phases } = document;
  const { size, soakSeconds } = phases[phase]!;
  if (size === 0) return 0;
  const worksSeconds = document.bundle === undefined ? assumedStepSeconds : assumedInstallSeconds;
  const perDevice = bytes / size / assumedBytesPerSecond + worksSeconds;
  const proven = tallies.slice(0, phase).reduce((sum, { targets }) => sum + targets, 0);
  const limit = rateLimit(policy, proven);
  const byRate = limit === undefined ? 0 : ((size - 1) / limit) * 60;
  const rounds = Math.ceil(size / policy.maxInFlight);
  const isLast = phase === phases.length - 1;
  return Math.round(Math.max(rounds * perDevice, byRate + perDevice) + (isLast ? 0 : soakSeconds));
}

/** What a person should know before it begins. */
function warningsOf(
  { document, devices }: RolloutState,
  targets: readonly PlannedTarget[],
  facts: PlanFacts,
  nowMs: number,
): string[] {
  const { bundle, policy, phases } = document;
  const brought = broughtBy(document);
  const warnings: string[] = [];
  const warn = (list: readonly PlannedTarget[], text: string) => {
    if (list.length > 0) warnings.push(`${namesOf(list)} ${text}`);
  };
  warn(
    targets.filter(({ connected }) => !connected),
    `not connected: offered when it comes, within ${policy.deadlineSeconds} s`,
  );
  warn(
    targets.filter(({ runs }) => bundle !== undefined && runs === bundle.bundleUuid),
    'runs this bundle already',
  );
  warn(
    targets.filter(({ deviceId }) => brought !== undefined && facts.hasReverted(deviceId, brought.bundleUuid)),
    'has reverted this bundle before: it will be rejected',
  );
  if (bundle === undefined) {
    const verdicts = new Map(
      [...devices].map((target) => [target.deviceId, stepVerdict(document, target, facts, nowMs)]),
    );
    warn(
      targets.filter(({ deviceId }) => verdicts.get(deviceId) === 'already'),
      'is so already',
    );
    warn(
      targets.filter(({ deviceId }) => verdicts.get(deviceId) === 'cancel'),
      'has an agent that does not take this: it will be left out',
    );
  }
  if (conductOf(policy) !== undefined)
    warn(
      targets.filter(({ deviceId }) => !facts.takesConduct(deviceId)),
      'has an agent that knows nothing of install windows, approval or bandwidth: it will be left out',
    );
  warn(
    targets.filter(({ deviceId }) => facts.heldBy(deviceId) !== undefined),
    policy.supersede === 'replace' ? 'is taken over from another rollout' : 'waits for another rollout to end with it',
  );
  const lonely = phases.filter((_, index) => !targets.some(({ phase, connected }) => phase === index + 1 && connected));
  for (const phase of lonely)
    warnings.push(`phase ${phases.indexOf(phase) + 1} has no connected device: it waits for one to come`);
  if (phases.length === 1 && targets.length > 1) warnings.push('there is one phase alone: no device is tried first');
  const ungrouped = [...devices].filter(({ group }) => group === '').length;
  if (ungrouped > 0)
    warnings.push(`${ungrouped} devices have no ${policy.maxInFlightPer?.place}: they share one limit`);
  const windows = policy.windows?.offer;
  if (windows !== undefined && !usesDeviceZone(windows) && !judgeWindows(windows, nowMs, undefined).open) {
    const next = Math.min(...windows.map((window) => nextOpening(window, nowMs) ?? Infinity));
    if (Number.isFinite(next)) warnings.push(`no offer is made before ${new Date(next).toISOString()}`);
  }
  return warnings;
}

/** What the action's own rules say to a device now; undefined: nothing against it. */
function stepVerdict(
  document: RolloutDocument,
  target: TargetDevice,
  facts: PlanFacts,
  nowMs: number,
): RuleResult | undefined {
  for (const { result } of actionOf(document).ready({ document, target, facts, nowMs }))
    if (result !== 'ok') return result;
  return undefined;
}

const maxNamed = 3;

function namesOf(list: readonly PlannedTarget[]): string {
  const named = list.slice(0, maxNamed).map(({ deviceId }) => deviceId);
  const more = list.length - named.length;
  return `${list.length} of the targets (${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}):`;
}

/** Of everything but the digest itself. */
export function digestPlan(plan: Omit<RolloutPlan, 'digest'>): string {
  return digestJson(plan);
}
