/** Is a new program taken at all? Pure. */
import type { AgentOffer } from '../../protocol/request.ts';
import type { RevertedBundle } from '../state/reverted-bundle-table.ts';
import { partCount } from '../updater/download.ts';
import type { UpdateReason } from '../updater/update.ts';
import { maxProgramBytes, programProduct } from './program-bundle.ts';
import type { ProgramUpdate } from './program-update.ts';
import { runningOf, type ProgramFacts } from './program-verdict.ts';

export interface ProgramOfferContext {
  facts: Pick<ProgramFacts, 'runs' | 'version' | 'bootId'>;
  /** A launcher has started this process. */
  isLaunched: boolean;
  keys: number;
  /** Where this device went back from that bundle, and nobody has allowed it since. */
  reverted: RevertedBundle | undefined;
  current: ProgramUpdate | undefined;
  /** Undefined: not told yet. */
  coordinatorNowMs: number | undefined;
  nowMs: number;
}

/** The record of an offer that is taken, or not (`rejected`, with the reason). */
export function judgeProgramOffer(offer: AgentOffer, context: ProgramOfferContext): ProgramUpdate {
  const { updateId, bundle, expiresAtMs } = offer;
  const { nowMs, facts } = context;
  const before = runningOf(facts);
  const begin = { updateId, bundle, expiresAtMs, enteredAtMs: nowMs, before, health: [], downloadedBytes: 0 };
  const reason = obstacle(offer, context);
  if (reason === undefined) return { ...begin, state: 'downloading', attempts: { downloading: 1 } };
  return { ...begin, state: 'rejected', attempts: { rejected: 1 }, reason, decidedAtMs: nowMs };
}

function obstacle({ bundle, expiresAtMs }: AgentOffer, context: ProgramOfferContext): UpdateReason | undefined {
  const { reverted, current, coordinatorNowMs, facts } = context;
  if (bundle.product !== programProduct)
    return { code: 'wrong-product', message: `for product "${bundle.product}", an agent is a "${programProduct}"` };
  if (!context.isLaunched) {
    const message =
      'nothing could start another agent: this one was not started by /usr/lib/flotilla/launch; "flotilla-agent install" on the device puts that in place and starts the service by it';
    return { code: 'agent-not-launched', message };
  }
  if (context.keys === 0) {
    const message = 'this device has no key for its agent: selfUpdate.keys, or update.keys';
    return { code: 'no-key', message };
  }
  if (current !== undefined)
    return { code: 'busy', message: `the update ${current.updateId} of the agent is under way` };
  if (coordinatorNowMs !== undefined && coordinatorNowMs >= expiresAtMs)
    return { code: 'offer-expired', message: 'the offer expired before it came' };
  if (facts.runs === bundle.bundleUuid)
    return { code: 'already-running', message: `${bundle.version} is the agent that runs` };
  if (reverted !== undefined) {
    const when = new Date(reverted.atMs).toISOString().slice(0, 10);
    const message = `this device went back from bundle ${bundle.bundleUuid} on ${when} (${reverted.reason}); "device allow-bundle" lets it try again`;
    return { code: 'bundle-quarantined', message };
  }
  if (bundle.partSha256.length !== partCount(bundle))
    return { code: 'offer-malformed', message: 'the offer does not name a hash for each part' };
  if (bundle.sizeBytes > maxProgramBytes)
    return { code: 'bundle-too-large', message: `${bundle.sizeBytes} bytes, an agent has at most ${maxProgramBytes}` };
  return undefined;
}
