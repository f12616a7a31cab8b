import type { Rollout, RolloutChange, RolloutRequest } from '../../client/contract/rollout.ts';
import { FlotillaError } from '../../error.ts';
import { isServed, type CoreState, type StoredRelease } from '../core/core-state.ts';
import { heldBy, openRollout, stepRollout } from '../core/rollout-operation.ts';
import { requireSize } from '../job/plan-job.ts';
import { planRollout } from '../rollout/plan-rollout.ts';
import type { RolloutDocument } from '../rollout/rollout-state.ts';
import type { TargetDevice } from '../rollout/target-device.ts';
import { viewRollout, viewTarget } from '../rollout/view-rollout.ts';
import { audit, type ServiceContext } from './context.ts';
import { countAccepted, matchAccepted } from './target.ts';

const maxListed = 200;
const defaultChannel = 'stable';

export type RolloutVerb = 'pause' | 'resume' | 'abort';

export function startRollout(context: ServiceContext, request: RolloutRequest): Promise<Rollout> {
  return context.core.submit((turn) => {
    const { state } = turn;
    const { release, offer } = findRelease(state, request.release);
    const matched = matchAccepted(turn, request.selector);
    requireSize('rollout', request, matched.length, countAccepted(state), context.jobs.confirmAboveShare);
    const rollout = planRollout(request, matched, {
      id: request.dryRun === true ? '' : context.newId('r'),
      release: release.id,
      bundle: offer,
      startedBy: context.actor,
      timers: context.rolloutTimers,
      nowMs: turn.nowMs,
      connected: (id) => isServed(state, id),
      heldBy: (id) => heldBy(state, id),
      select: (selector) => new Set(matchAccepted(turn, selector)),
    });
    const { id } = rollout.document;
    if (request.dryRun === true)
      return { ...viewRollout(rollout.document), devices: [...rollout.devices].map(viewTarget) };
    openRollout(turn, rollout);
    const detail = { release: release.id, selector: request.selector, targets: matched.length };
    audit(turn, context, 'rollout.start', id, detail, matched);
    const opened = state.rollouts.get(id)!;
    return { ...viewRollout(opened.document), devices: [...opened.devices].map(viewTarget) };
  });
}

export function findRelease(state: CoreState, name: string): StoredRelease {
  const release = state.releases.get(name) ?? state.releases.get(`${name}/${defaultChannel}`);
  if (release !== undefined) return release;
  throw new FlotillaError('usage', 'release-unknown', `there is no release ${name}`, {
    seen: name,
    expected: 'product/version/channel, or product/version for the channel stable',
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
  { reason, expectedRevision }: RolloutChange,
): Promise<Rollout> {
  const ended = await context.core.submit((turn) => {
    const document = turn.state.rollouts.get(id)?.document;
    if (document === undefined) return true;
    requireRevision(document, expectedRevision);
    requireState(document, verb);
    const given = reason ?? `${verb === 'pause' ? 'paused' : 'aborted'} by ${context.actor}`;
    stepRollout(turn, id, verb === 'resume' ? { kind: 'resume' } : { kind: verb, reason: given });
    audit(turn, context, `rollout.${verb}`, id, { reason: reason ?? null, revision: document.revision });
    return false;
  });
  if (!ended) return showRollout(context, id);
  const row = await context.core.store.document('rollout', id);
  if (row === undefined) throw unknownRollout(id);
  requireState(row.document as RolloutDocument, verb);
  throw unknownRollout(id);
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
