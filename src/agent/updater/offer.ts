import type { FileOffer, UpdateOffer } from '../../protocol/request.ts';
import type { Running } from '../../protocol/event.ts';
import { windowProblem } from '../../window/index.ts';
import { slotObstacle, type MachineFact } from './boot-verdict.ts';
import { wrongKind } from './bundle-check.ts';
import { partCount } from './download.ts';
import type { RevertedBundle } from '../state/reverted-bundle-table.ts';
import type { Update, UpdateReason } from './update.ts';

export interface OfferContext {
  /** What runs, or why that can't be said. */
  fact: MachineFact | Error;
  /** Where this device went back from the offered bundle, and nobody has allowed it since. */
  reverted?: RevertedBundle | undefined;
  /** The update under way. */
  current: Update | undefined;
  policy: { product: string; platform: string };
  /** Undefined: not told yet, so expiry is judged later. */
  coordinatorNowMs: number | undefined;
  nowMs: number;
}

/** The offer does not hold any more. */
export class OfferExpired extends Error {
  readonly reason: UpdateReason = {
    code: 'offer-expired',
    message: 'the offer expired before it was installed',
  };
}

/** By the coordinator's time, where that is known. @throws OfferExpired */
export function assertWanted({ expiresAtMs }: Pick<Update, 'expiresAtMs'>, coordinatorNowMs: number | undefined): void {
  if (coordinatorNowMs !== undefined && coordinatorNowMs >= expiresAtMs) throw new OfferExpired();
}

/** The record of an offer that is taken (`offered`) or not (`rejected`, with the reason). */
export function judgeOffer(offer: UpdateOffer, context: OfferContext): Update {
  const reason = offerObstacle(offer, context);
  if (reason) return refusedUpdate(offer, reason, context);
  return { ...newUpdate(offer, context), state: 'offered', attempts: { offered: 1 } };
}

export function refusedUpdate(
  offer: UpdateOffer,
  reason: UpdateReason,
  context: Pick<OfferContext, 'fact' | 'nowMs'>,
): Update {
  return {
    ...newUpdate(offer, context),
    state: 'rejected',
    attempts: { rejected: 1 },
    reason,
    decidedAtMs: context.nowMs,
  };
}

function newUpdate(
  { rolloutId, bundle, delta, expiresAtMs, conduct, attempt }: UpdateOffer,
  { fact, nowMs }: Pick<OfferContext, 'fact' | 'nowMs'>,
) {
  const before: Running = fact instanceof Error ? { bootId: '' } : fact.running;
  const fits = delta !== undefined && delta.fromUuid === before.bundleUuid && hasAllParts(delta);
  const chosen = fits ? { delta } : {};
  const begin = { enteredAtMs: nowMs, before, health: [], downloadedBytes: 0 };
  const asked = {
    ...(conduct === undefined ? {} : { conduct }),
    ...(attempt === undefined ? {} : { offerAttempt: attempt }),
  };
  return { rolloutId, bundle, ...chosen, expiresAtMs, ...asked, ...begin };
}

function hasAllParts(file: FileOffer): boolean {
  return file.partSha256.length === partCount(file);
}

function offerObstacle(
  { bundle, expiresAtMs, conduct }: UpdateOffer,
  { fact, reverted, current, policy, coordinatorNowMs, nowMs }: OfferContext,
): UpdateReason | undefined {
  if (current) return { code: 'busy', message: `the update of rollout ${current.rolloutId} is under way` };
  if (coordinatorNowMs !== undefined && coordinatorNowMs >= expiresAtMs) {
    return { code: 'offer-expired', message: 'the offer expired before it arrived' };
  }
  const wrong = wrongKind(policy, bundle);
  if (wrong) return wrong;
  if (!hasAllParts(bundle)) {
    return {
      code: 'offer-malformed',
      message: `${bundle.partSha256.length} part hashes for ${partCount(bundle)} parts`,
    };
  }
  if (reverted) {
    const when = new Date(reverted.atMs).toISOString().slice(0, 10);
    return {
      code: 'bundle-quarantined',
      message: `this device went back from bundle ${bundle.bundleUuid} on ${when} (${reverted.reason}); "device allow-bundle" lets it try again`,
    };
  }
  const windows = [...(conduct?.installWindows ?? []), ...(conduct?.rebootWindows ?? [])];
  for (const window of windows) {
    const problem = windowProblem(window, nowMs);
    if (problem) return { code: 'offer-malformed', message: `window ${problem.field} ${problem.seen}` };
  }
  if (fact instanceof Error) return { code: 'machine-unreadable', message: fact.message };
  if (fact.running.bundleUuid === bundle.bundleUuid) {
    return {
      code: 'already-running',
      message: `bundle ${bundle.bundleUuid} runs already, in slot ${fact.running.slot ?? '?'}`,
    };
  }
  return slotObstacle(fact);
}
