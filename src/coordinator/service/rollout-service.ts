import type { Rollout, RolloutChange, RolloutRequest } from '../../client/contract/rollout.ts';
import type { OnFailure } from '../../client/contract/rollout-policy.ts';
import { FlotillaError } from '../../error.ts';
import type { Turn } from '../core/turn.ts';
import { isServed, type CoreState } from '../core/core-state.ts';
import { heldBy, openRollout, stepRollout } from '../core/rollout-operation.ts';
import { confirmRule, requireSize } from '../job/plan-job.ts';
import { chooseTargets, type LeftOut } from '../rollout/choose-target.ts';
import type { RolloutInput } from '../rollout/reduce-rollout.ts';
import { pinTag } from '../rollout/offer-rule.ts';
import { requireFit } from '../rollout/plan-action.ts';
import { planRollout } from '../rollout/plan-rollout.ts';
import type { RolloutDocument, RolloutState } from '../rollout/rollout-state.ts';
import type { TargetDevice } from '../rollout/target-device.ts';
import { viewRollout, viewTarget } from '../rollout/view-rollout.ts';
import { audit, type ServiceContext } from './context.ts';
import { findRelease } from './find-release.ts';
import { requireAgent, requireFirmware } from './release-kind.ts';
import { requireDoable, requireRight } from './require-doable.ts';
import { countAccepted, matchAccepted } from './target.ts';

const maxListed = 200;

export type RolloutVerb = 'pause' | 'resume' | 'abort' | 'approve';

export async function startRollout(context: ServiceContext, request: RolloutRequest): Promise<Rollout> {
  requireRight(context, request);
  if (request.dryRun !== true) await requireDoable(context, request);
  return context.core.submit((turn) => {
    const { rollout } = makeRollout(turn, context, request, {
      id: request.dryRun === true ? '' : context.newId('r'),
    });
    if (request.dryRun !== true) return launch(turn, context, rollout);
    return { ...viewRollout(rollout.document), devices: [...rollout.devices].map(viewTarget) };
  });
}

interface RolloutDraftOption {
  id: string;
  /** As a plan has placed the targets. */
  placed?: ReadonlyMap<string, number>;
  /** Their number needs no confirmation yet. */
  asksNobody?: true;
}

/** A rollout as it would begin now, by the policy alone. */
export function makeRollout(
  turn: Turn,
  context: ServiceContext,
  request: RolloutRequest,
  { id, placed, asksNobody }: RolloutDraftOption,
): { rollout: RolloutState; leftOut: LeftOut[] } {
  const { state } = turn;
  requireFit(request);
  const found = request.release === undefined ? undefined : requireFirmware(findRelease(state, request.release));
  const { action } = request;
  const program = action?.kind === 'agent-update' ? requireAgent(findRelease(state, action.release)) : undefined;
  requireRollback(state, request);
  const select = (selector: string) => new Set(matchAccepted(turn, selector));
  const { targets, leftOut } = chooseTargets(request, matchAccepted(turn, request.selector), {
    select,
    pin: (deviceId) => state.devices.get(deviceId)?.tags[pinTag],
  });
  const kind = action?.kind === 'job' ? action.job.kind : 'ping';
  const confirm = confirmRule({ kind }, context.jobs, asksNobody === true ? 1 : 0);
  requireSize('rollout', request, targets.length, countAccepted(state), confirm);
  const rollout = planRollout(request, targets, {
    id,
    ...(found === undefined ? {} : { release: found.release.id, bundle: found.offer }),
    terms: {
      timeoutSeconds: context.jobs.defaultTimeoutSeconds,
      ...(context.returners.always.length === 0 ? {} : { returners: context.returners.always }),
      ...(program === undefined ? {} : { program: { release: program.release.id, bundle: program.offer } }),
    },
    startedBy: context.actor,
    timers: context.rolloutTimers,
    nowMs: turn.nowMs,
    connected: (deviceId) => isServed(state, deviceId),
    heldBy: (deviceId) => heldBy(state, deviceId),
    select,
    facts: (deviceId) => state.devices.get(deviceId)!,
    ...(placed === undefined ? {} : { placed }),
  });
  return { rollout, leftOut };
}

/** Stores it and begins. */
export function launch(turn: Turn, context: ServiceContext, rollout: RolloutState): Rollout {
  const { id, release, action, selector } = rollout.document;
  openRollout(turn, rollout);
  const targets = [...rollout.devices].map(({ deviceId }) => deviceId);
  audit(
    turn,
    context,
    'rollout.start',
    id,
    { ...(action === undefined ? { release } : { action }), selector, targets: targets.length },
    targets,
  );
  const opened = turn.state.rollouts.get(id)!;
  return { ...viewRollout(opened.document), devices: [...opened.devices].map(viewTarget) };
}

/** The release that is returned to must be there before anything is begun, and be another one of the same product. */
function requireRollback(
  state: CoreState,
  { release, onFailure }: Pick<RolloutRequest, 'release' | 'onFailure'>,
): void {
  if (typeof onFailure !== 'object') return;
  if (release === undefined) {
    throw new FlotillaError('usage', 'rollout-rollback', 'only a release is returned from', {
      seen: `rollbackTo ${onFailure.rollbackTo} of an action`,
      expected: 'cancel-queued or cancel-all',
    });
  }
  const wanted = findRelease(state, release).release;
  const target = findRelease(state, onFailure.rollbackTo).release;
  if (target.product === wanted.product && target.id !== wanted.id) return;
  throw new FlotillaError('usage', 'rollout-rollback', 'this release is nothing to return to', {
    seen: target.id,
    expected: `another release of ${wanted.product}`,
    suggestion: 'flotilla release list',
  });
}

/** The newest first. */
export async function listRollouts({ core }: ServiceContext): Promise<Rollout[]> {
  return (await core.store.documents('rollout', maxListed)).map(({ document }) =>
    viewRollout(document as RolloutDocument),
  );
}

export async function showRollout({ core }: ServiceContext, id: string): Promise<Rollout> {
  const row = await core.store.document('rollout', id);
  if (row === undefined) throw unknownRollout(id);
  const members = await core.store.members('rollout', id, false);
  const devices = members.map(({ document }) => viewTarget(document as TargetDevice));
  return { ...viewRollout(row.document as RolloutDocument), devices };
}

/** Refused when the rollout is not what the caller thinks it is, or can't take this step. */
export async function changeRollout(
  context: ServiceContext,
  id: string,
  verb: RolloutVerb,
  { reason, expectedRevision, action }: RolloutChange,
): Promise<Rollout> {
  const ended = await context.core.submit((turn) => {
    const document = turn.state.rollouts.get(id)?.document;
    if (document === undefined) return true;
    requireRevision(document, expectedRevision);
    requireState(document, verb);
    if (verb === 'resume') requireRight(context, document);
    if (verb === 'approve') requireApprover(document, context);
    if (action !== undefined) requireAction(turn.state, document, verb, action);
    const given = reason ?? `${verb === 'pause' ? 'paused' : 'aborted'} by ${context.actor}`;
    stepRollout(turn, id, inputOf(verb, context.actor, given, action));
    const detail = { reason: reason ?? null, revision: document.revision, ...(action === undefined ? {} : { action }) };
    audit(turn, context, `rollout.${verb}`, id, detail);
    return false;
  });
  if (!ended) return showRollout(context, id);
  const row = await context.core.store.document('rollout', id);
  if (row === undefined) throw unknownRollout(id);
  requireState(row.document as RolloutDocument, verb);
  throw unknownRollout(id);
}

function inputOf(verb: RolloutVerb, by: string, reason: string, action: OnFailure | undefined): RolloutInput {
  switch (verb) {
    case 'resume':
      return { kind: 'resume' };
    case 'approve':
      return { kind: 'approve', by };
    case 'pause':
      return { kind: 'pause', reason };
    case 'abort':
      return { kind: 'abort', reason, ...(action === undefined ? {} : { action }) };
  }
}

function requireAction(state: CoreState, { release }: RolloutDocument, verb: RolloutVerb, action: OnFailure): void {
  if (verb === 'abort' && action !== 'pause')
    return requireRollback(state, { ...(release === undefined ? {} : { release }), onFailure: action });
  throw new FlotillaError('usage', 'rollout-action', `an action belongs to an abort`, {
    seen: `${verb}, ${JSON.stringify(action)}`,
    expected: 'cancel-queued, cancel-all or rollbackTo of an abort',
  });
}

/** The phase that waits names a role; an admin has every one. */
function requireApprover({ id, phases, currentPhase }: RolloutDocument, { actor, role }: ServiceContext): void {
  const phase = phases[currentPhase];
  if (phase?.state !== 'approval') {
    throw new FlotillaError('refused', 'rollout-state', 'no phase of this rollout waits for an approval', {
      seen: `phase ${currentPhase + 1} is ${phase?.state ?? 'over'}`,
      expected: 'a phase whose gate is passed but for its approval',
      suggestion: `flotilla rollout status ${id}`,
    });
  }
  const needed = phase.gate?.approval;
  if (role === 'admin' || role === needed) return;
  throw new FlotillaError('forbidden', 'rollout-approval', 'your role may not approve this phase', {
    seen: `${actor} has the role ${role}`,
    expected: `the role ${needed} or admin`,
  });
}

function requireRevision({ id, revision }: RolloutDocument, expected: number | undefined): void {
  if (expected === undefined || expected === revision) return;
  throw new FlotillaError('refused', 'rollout-changed', 'the rollout has changed since you looked', {
    seen: `revision ${revision}`,
    expected: `revision ${expected}`,
    suggestion: `flotilla rollout status ${id}`,
  });
}

const allowedFrom: Record<RolloutVerb, readonly Rollout['state'][]> = {
  pause: ['running'],
  resume: ['paused', 'halted'],
  approve: ['running', 'paused'],
  abort: ['running', 'paused', 'halted'],
};

function requireState({ id, state }: RolloutDocument, verb: RolloutVerb): void {
  if (allowedFrom[verb].includes(state)) return;
  throw new FlotillaError('refused', 'rollout-state', `a rollout that is ${state} can't ${verb}`, {
    seen: state,
    expected: allowedFrom[verb].join(' or '),
    suggestion: `flotilla rollout status ${id}`,
  });
}

export function unknownRollout(id: string): FlotillaError {
  return new FlotillaError('usage', 'rollout-unknown', `there is no rollout ${id}`, {
    seen: id,
    suggestion: 'flotilla rollout list',
  });
}
