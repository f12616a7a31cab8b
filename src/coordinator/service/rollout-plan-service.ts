import type { Rollout, RolloutPlan, RolloutRequest } from '../../client/contract/index.ts';
import { FlotillaError } from '../../error.ts';
import { heldBy, offerFacts } from '../core/rollout-operation.ts';
import type { Turn } from '../core/turn.ts';
import { type Drift, findDrift } from '../rollout/find-drift.ts';
import type { RolloutDocument, RolloutState } from '../rollout/rollout-state.ts';
import { digestPlan, writePlan } from '../rollout/write-plan.ts';
import type { ServiceContext } from './context.ts';
import { requireDoable, requireRight } from './require-doable.ts';
import { launch, makeRollout } from './rollout-service.ts';
import { matchAccepted } from './target.ts';

/** Devices of a refusal that are named. */
const maxNamed = 20;
/** The newest rollouts that may have been begun by the same plan: an older one has drifted in any case. */
const maxSearched = 200;

/** What the policy would do now; nothing is begun. */
export async function planRolloutFile(context: ServiceContext, request: RolloutRequest): Promise<RolloutPlan> {
  await requireDoable(context, request);
  return context.core.submit((turn) => {
    // A plan touches nobody: how many it may be is asked when it is applied.
    const { max, expect: _e, dryRun: _d, ...policy } = request;
    const { rollout, leftOut } = makeRollout(turn, context, max === undefined ? policy : { ...policy, max }, {
      id: '',
      asksNobody: true,
    });
    const facts = {
      ...offerFacts(turn.state, turn.nowMs),
      device: (deviceId: string) => turn.state.devices.get(deviceId),
      heldBy: (deviceId: string) => heldBy(turn.state, deviceId),
    };
    return writePlan(rollout, policy, { leftOut, plannedBy: context.actor, facts, nowMs: turn.nowMs });
  });
}

/** Begins what the plan says, if all of it is still so. @throws FlotillaError `refused` naming what has drifted */
export async function applyRolloutPlan(context: ServiceContext, plan: RolloutPlan): Promise<Rollout> {
  const { digest, ...content } = plan;
  if (digestPlan(content) !== digest) {
    throw new FlotillaError('refused', 'rollout-plan-edited', 'the plan is not as the coordinator wrote it', {
      seen: digest,
      expected: digestPlan(content),
      suggestion: 'change the policy and make a new plan: flotilla rollout plan',
    });
  }
  requireRight(context, plan.policy);
  await requireDoable(context, plan.policy);
  refuseApplied(digest, await context.core.store.documents('rollout', maxSearched));
  return context.core.submit((turn) => {
    refuseApplied(digest, turn.state.rollouts.values());
    refuseDrift(driftNow(turn, plan));
    const placed = new Map(plan.targets.map(({ deviceId, phase }) => [deviceId, phase - 1]));
    if (placed.size !== plan.targets.length) throw notPossible('a device stands in it twice');
    const request = { ...plan.policy, expect: plan.targets.length };
    const { rollout } = makeRollout(turn, context, request, { id: context.newId('r'), placed });
    requireSame(rollout, plan);
    return launch(turn, context, { ...rollout, document: { ...rollout.document, planDigest: digest } });
  });
}

/** Two who apply the same plan mean one rollout. */
function refuseApplied(digest: string, rollouts: Iterable<{ document: unknown }>): void {
  for (const { document } of rollouts) {
    const { id, state, startedBy, planDigest } = document as RolloutDocument;
    if (planDigest !== digest) continue;
    throw new FlotillaError('refused', 'rollout-plan-applied', 'this plan was applied already', {
      seen: `rollout ${id} of ${startedBy}, which is ${state}`,
      expected: 'a plan that nobody has applied yet',
      suggestion: `flotilla rollout status ${id}; to do it once more, make a new plan`,
    });
  }
}

function driftNow(turn: Turn, plan: RolloutPlan): Drift[] {
  const { state } = turn;
  const { policy } = plan;
  const { selector, exclude, action } = policy;
  const name = action?.kind === 'agent-update' ? action.release : policy.release;
  const select = (text: string) => new Set(matchAccepted(turn, text));
  const found =
    name === undefined ? undefined : (state.releases.get(name) ?? state.releases.get(`${name}/stable`))?.release;
  const { phases } = planSelectors(plan);
  return findDrift(plan, {
    device: (deviceId) => state.devices.get(deviceId),
    matched: select(selector),
    excluded: exclude === undefined ? new Set() : select(exclude),
    phases: phases.map((text) => (text === undefined ? undefined : select(text))),
    release: found,
  });
}

/** Of the phases that got somebody: those that the plan numbers. */
function planSelectors({ policy, phases }: RolloutPlan): { phases: (string | undefined)[] } {
  const requested = policy.phases ?? [];
  // With one for one they are the policy's own; a phase that got nobody has no number, and names can't tell which.
  return {
    phases: phases.map((_, index) => (requested.length === phases.length ? requested[index]?.selector : undefined)),
  };
}

function refuseDrift(drifts: readonly Drift[]): void {
  if (drifts.length === 0) return;
  const named = drifts
    .slice(0, maxNamed)
    .map(({ deviceId, what }) => (deviceId === undefined ? what : `${deviceId} ${what}`));
  const more = drifts.length > maxNamed ? [`and ${drifts.length - maxNamed} more`] : [];
  throw new FlotillaError('refused', 'rollout-drift', 'the fleet is not what the plan was made for', {
    seen: [...named, ...more].join('; '),
    expected: 'every device, its place and the release as they were',
    suggestion: 'look at the changes, then make a new plan: flotilla rollout plan',
  });
}

/** The policy, carried out anew, must put everybody where the plan has put them. */
function requireSame(rollout: RolloutState, { targets }: RolloutPlan): void {
  if (rollout.devices.length !== targets.length) throw notPossible(`${rollout.devices.length} devices are meant`);
  const phases = new Map([...rollout.devices].map(({ deviceId, phase }) => [deviceId, phase + 1]));
  const moved = targets.find(({ deviceId, phase }) => phases.get(deviceId) !== phase);
  if (moved !== undefined) {
    const now = phases.get(moved.deviceId) ?? 'none';
    throw notPossible(`${moved.deviceId} would be in phase ${now}, and is in phase ${moved.phase} of the plan`);
  }
}

function notPossible(seen: string): FlotillaError {
  return new FlotillaError('refused', 'rollout-plan-impossible', 'the policy does not lead to this plan', {
    seen,
    expected: 'the phases that the policy of the plan makes',
    suggestion: 'make a new plan: flotilla rollout plan',
  });
}
