import type { RolloutRequest } from '../../client/contract/rollout.ts';
import { FlotillaError } from '../../error.ts';
import type { BundleOffer } from '../../protocol/request.ts';
import { windowProblem } from '../../window/index.ts';
import { factValue } from '../job/fact-value.ts';
import { type DivideContext, dividePhases, requirePhases, type PlannedPhase } from './divide-phase.ts';
import { defaultMaxFailures, defaultPolicy } from './gate.ts';
import { usesDeviceZone } from './offer-window.ts';
import type { Joining } from './join.ts';
import { actionTerms, requireFit, timersOf } from './plan-action.ts';
import { newTarget } from './target-device.ts';
import {
  createRolloutState,
  type PhaseState,
  type Policy,
  type RolloutState,
  type StepTerms,
  type TimerPolicy,
} from './rollout-state.ts';

export interface RolloutPlanContext extends DivideContext {
  id: string;
  /** Absent where the policy names an action. */
  release?: string;
  bundle?: BundleOffer;
  /** Of an action, where the policy does not say it. */
  terms?: StepTerms;
  startedBy: string;
  timers: Partial<TimerPolicy>;
  nowMs: number;
  /** The rollout that has this device now, if any. */
  heldBy(deviceId: string): string | undefined;
  /** What the registry holds of it. */
  facts(deviceId: string): {
    id: string;
    grains: Readonly<Record<string, unknown>>;
    tags: Readonly<Record<string, unknown>>;
  };
}

/** Devices of a refusal that are named. */
const maxNamed = 5;
/** The grain in which a device says in which zone it stands. */
export const zoneGrain = 'timezone';

/**
 * Freezes the targets and puts each into a phase: connected devices first, then by id.
 * @param targets ids that are meant
 * @throws FlotillaError `refused` when another rollout holds a target, `usage` when a target fits no phase, or when the
 *   policy can't be carried out
 */
export function planRollout(
  request: RolloutRequest,
  targets: readonly string[],
  context: RolloutPlanContext,
): RolloutState {
  requireFit(request);
  requireWindows(request, context.nowMs);
  const phases = dividePhases(request, targets, context);
  requirePhases(phases);
  if ((request.supersede ?? 'refuse') === 'refuse') requireFree(targets, context);
  const { nowMs } = context;
  return createRolloutState(
    {
      id: context.id,
      ...(context.release === undefined ? {} : { release: context.release }),
      ...(context.bundle === undefined ? {} : { bundle: context.bundle }),
      selector: request.selector,
      ...actionTerms(request, context.terms),
      state: 'running',
      startedAtMs: nowMs,
      startedBy: context.startedBy,
      revision: 1,
      currentPhase: 0,
      phases: phases.map(({ ids, name, gate, soakSeconds }, index): PhaseState => ({
        ...(name === undefined ? {} : { name }),
        size: ids.length,
        soakSeconds,
        ...(gate === undefined ? {} : { gate }),
        state: index === 0 ? 'running' : 'waiting',
      })),
      policy: policyOf(request, targets.length, phases),
      timers: timersOf(request, context.timers),
      counts: { waiting: targets.length },
      forgiven: { failures: 0, ended: 0 },
      history: [
        { atMs: nowMs, state: 'running' },
        { atMs: nowMs, phase: 0, state: 'running' },
      ],
    },
    phases.flatMap(({ ids }, phase) =>
      ids.map((deviceId) => newTarget({ deviceId, phase, ...placeOf(request, deviceId, context) }, nowMs)),
    ),
  );
}

function policyOf(request: RolloutRequest, targets: number, phases: readonly PlannedPhase[]): Policy {
  const maxFailures = request.maxFailures ?? defaultMaxFailures(targets);
  // A first phase with a gate of its own for failures is judged by that.
  const canary = phases[0]?.gate?.failure === undefined ? defaultPolicy.canaryMaxFailures : maxFailures;
  const {
    maxInFlightPer,
    perMinute,
    ramp,
    retry,
    continuous,
    exclude,
    windows,
    device,
    onFailure,
    supersede,
    priority,
  } = request;
  return {
    canaryMaxFailures: request.maxFailures ?? canary,
    maxFailures,
    maxFailureShare: request.maxFailureShare ?? defaultPolicy.maxFailureShare,
    minSample: request.minSample ?? defaultPolicy.minSample,
    maxInFlight: request.maxInFlight ?? defaultPolicy.maxInFlight,
    deadlineSeconds: request.deadlineSeconds ?? defaultPolicy.deadlineSeconds,
    ...(maxInFlightPer === undefined ? {} : { maxInFlightPer }),
    ...(perMinute === undefined ? {} : { perMinute }),
    ...(ramp === undefined ? {} : { ramp }),
    ...(retry === undefined ? {} : { retry }),
    ...(continuous === true ? { continuous } : {}),
    ...(continuous === true && exclude !== undefined ? { exclude } : {}),
    ...(windows === undefined ? {} : { windows }),
    ...(device === undefined ? {} : { device }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(supersede === undefined ? {} : { supersede }),
    ...(priority === undefined ? {} : { priority }),
  };
}

/** A device that matches a continuous rollout later; undefined where its limits can't be told. */
export function placeLate(
  { policy }: RolloutState['document'],
  deviceId: string,
  context: Pick<RolloutPlanContext, 'facts'>,
): Joining | undefined {
  const { maxInFlightPer, windows } = policy;
  const zone = context.facts(deviceId).grains[zoneGrain];
  if (usesDeviceZone(windows?.offer) && typeof zone !== 'string') return undefined;
  const limits = {
    ...(maxInFlightPer === undefined ? {} : { maxInFlightPer }),
    ...(windows === undefined ? {} : { windows }),
  };
  return { deviceId, ...placeOf(limits, deviceId, context) };
}

/** By which limits it is held back: as the registry has it now, for the whole rollout. */
function placeOf(
  { maxInFlightPer, windows }: Pick<RolloutRequest, 'maxInFlightPer' | 'windows'>,
  deviceId: string,
  { facts }: Pick<RolloutPlanContext, 'facts'>,
): { group?: string; zone?: string } {
  const group = maxInFlightPer === undefined ? undefined : valueAt(maxInFlightPer.place, facts(deviceId));
  if (!usesDeviceZone(windows?.offer)) return group === undefined ? {} : { group };
  const zone = facts(deviceId).grains[zoneGrain];
  if (typeof zone !== 'string') throw zoneUnknown(deviceId);
  return { ...(group === undefined ? {} : { group }), zone };
}

/** `G@site`, `G@net:kind`, `I@ring`. Devices without a value are one group. */
function valueAt(place: string, facts: ReturnType<RolloutPlanContext['facts']>): string {
  const [, engine, key] = /^([GI])@(.+)$/.exec(place) ?? [];
  if (key === undefined) {
    throw new FlotillaError('usage', 'rollout-place', 'this names no grain and no tag', {
      seen: place,
      expected: 'G@site, G@net:kind or I@ring',
    });
  }
  const value = factValue(engine === 'I' ? `tag:${key}` : key, facts);
  return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}

function requireWindows({ windows }: RolloutRequest, nowMs: number): void {
  for (const [kind, list] of Object.entries(windows ?? {})) {
    for (const [index, window] of list.entries()) {
      const problem = windowProblem(window, nowMs);
      if (problem === undefined) continue;
      const { field, seen, expected } = problem;
      const message = `windows.${kind}[${index}].${field} can't be used`;
      throw new FlotillaError('usage', 'rollout-window', message, { seen, expected });
    }
  }
}

function zoneUnknown(deviceId: string): FlotillaError {
  return new FlotillaError(
    'usage',
    'rollout-zone-unknown',
    'a window is on the clocks of devices, and one tells none',
    {
      seen: `${deviceId} has no grain ${zoneGrain}`,
      expected: 'an IANA zone in that grain, of each target',
      suggestion: `give the window a zone, or leave such devices out: exclude: 'not G@${zoneGrain}:*'`,
    },
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
    suggestion: `flotilla rollout abort ${first.rollout}, wait for its end, or say supersede: queue or replace`,
  });
}
