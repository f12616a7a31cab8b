import type { RolloutRequest } from '../../client/contract/rollout.ts';
import { FlotillaError } from '../../error.ts';
import type { BundleOffer } from '../../protocol/request.ts';
import { defaultMaxFailures, defaultPolicy } from './gate.ts';
import { createRolloutState, type PhaseState, type RolloutState, type TimerPolicy } from './rollout-state.ts';

export interface RolloutPlanContext {
  id: string;
  release: string;
  bundle: BundleOffer;
  startedBy: string;
  timers: TimerPolicy;
  nowMs: number;
  connected(deviceId: string): boolean;
  /** The rollout that has this device now, if any. */
  heldBy(deviceId: string): string | undefined;
  /** Ids among the targets that match the selector of a phase. */
  select(selector: string): ReadonlySet<string>;
}

const defaultPhases: NonNullable<RolloutRequest['phases']> = [{ size: '1' }, { size: '25%' }, { size: 'rest' }];
/** Devices of a refusal that are named. */
const maxNamed = 5;

/**
 * Freezes the targets and puts each into a phase: connected devices first, then by id.
 * @param matched ids that the selector matched
 * @throws FlotillaError `refused` when another rollout holds a target, `usage` when a target fits no phase
 */
export function planRollout(
  request: RolloutRequest,
  matched: readonly string[],
  context: RolloutPlanContext,
): RolloutState {
  const requested = request.phases ?? defaultPhases;
  const phases = divide(requested, matched, context);
  requireFree(matched, context);
  const { nowMs } = context;
  const maxFailures = request.maxFailures ?? defaultMaxFailures(matched.length);
  return createRolloutState(
    {
      id: context.id,
      release: context.release,
      selector: request.selector,
      bundle: context.bundle,
      state: 'running',
      startedAtMs: nowMs,
      startedBy: context.startedBy,
      revision: 1,
      currentPhase: 0,
      phases: phases.map(({ ids, soakSeconds }, index) => ({
        size: ids.length,
        soakSeconds,
        state: index === 0 ? 'running' : 'waiting',
      })) satisfies PhaseState[],
      policy: {
        canaryMaxFailures: request.maxFailures ?? defaultPolicy.canaryMaxFailures,
        maxFailures,
        maxFailureShare: request.maxFailureShare ?? defaultPolicy.maxFailureShare,
        minSample: request.minSample ?? defaultPolicy.minSample,
        maxInFlight: request.maxInFlight ?? defaultPolicy.maxInFlight,
        deadlineSeconds: request.deadlineSeconds ?? defaultPolicy.deadlineSeconds,
      },
      timers: context.timers,
      counts: { waiting: matched.length },
      forgiven: { failures: 0, ended: 0 },
      history: [
        { atMs: nowMs, state: 'running' },
        { atMs: nowMs, phase: 0, state: 'running' },
      ],
    },
    phases.flatMap(({ ids }, phase) =>
      ids.map((deviceId) => ({
        deviceId,
        phase,
        state: 'waiting' as const,
        sinceMs: nowMs,
        activeAtMs: nowMs,
        attempts: 0,
      })),
    ),
  );
}

function requireFree(matched: readonly string[], context: RolloutPlanContext): void {
  const held = matched.flatMap((deviceId) => {
    const rollout = context.heldBy(deviceId);
    return rollout === undefined ? [] : [{ deviceId, rollout }];
  });
  const [first] = held;
  if (first === undefined) return;
  const named = held.slice(0, maxNamed).map(({ deviceId, rollout }) => `${deviceId} (${rollout})`);
  const more = held.length > maxNamed ? ` and ${held.length - maxNamed} more` : '';
  throw new FlotillaError('refused', 'rollout-device-held', 'another rollout has not finished with these devices', {
    seen: `${named.join(', ')}${more}`,
    expected: 'at most one rollout a device',
    suggestion: `flotilla rollout abort ${first.rollout}, or wait for its end`,
  });
}

interface PlannedPhase {
  ids: string[];
  soakSeconds: number;
}

/** The remainder is in the last phase; phases that got nobody are left out. */
function divide(
  requested: NonNullable<RolloutRequest['phases']>,
  matched: readonly string[],
  context: RolloutPlanContext,
): PlannedPhase[] {
  let left = matched.toSorted(
    (a, b) => Number(context.connected(b)) - Number(context.connected(a)) || (a < b ? -1 : 1),
  );
  const phases = requested.map(({ size, selector, soakSeconds }, index): PlannedPhase => {
    const fits = selector === undefined ? undefined : context.select(selector);
    const candidates = fits === undefined ? left : left.filter((id) => fits.has(id));
    const isLast = index === requested.length - 1;
    const wanted = sizeOf(size, matched.length);
    const ids = candidates.slice(0, isLast ? candidates.length : wanted);
    const taken = new Set(ids);
    left = left.filter((id) => !taken.has(id));
    return { ids, soakSeconds: soakSeconds ?? 0 };
  });
  if (left.length > 0) {
    throw new FlotillaError('usage', 'rollout-phase-too-narrow', 'some targets fit no phase', {
      seen: `${left.slice(0, maxNamed).join(', ')}${left.length > maxNamed ? ` and ${left.length - maxNamed} more` : ''}`,
      expected: 'a last phase without a selector, for the rest',
      suggestion: 'add --phase rest',
    });
  }
  return phases.filter(({ ids }) => ids.length > 0);
}

/** A count, a share of all targets (at least one), or the rest. */
function sizeOf(size: string, targets: number): number {
  if (size === 'rest') return targets;
  const value = Number.parseInt(size, 10);
  const isShare = size.endsWith('%');
  if (value >= 1 && !isShare) return value;
  if (value >= 1 && value <= 100) return Math.max(1, Math.floor((targets * value) / 100));
  throw new FlotillaError(
    'usage',
    'rollout-phase-empty',
    value === 0 ? 'a phase of no devices proves nothing' : 'a phase is at most all devices',
    { seen: size, expected: 'a count above 0, a percentage from 1% to 100%, or rest' },
  );
}
