/** Why a device is no target: which term of the selector says no. */
import type { WhyRule } from '../../client/contract/why.ts';
import { FlotillaError } from '../../error.ts';
import type { Explanation } from '../../selector/index.ts';
import type { RolloutState } from '../rollout/rollout-state.ts';
import { explainAccepted, type FleetView } from './target.ts';

/** Rollouts that are named when no one was asked for; the newest. */
const maxNamed = 10;

/**
 * Of the rollout that was asked for; of none: of each that could still take the device, the newest first. These rules
 * block nothing in that case: nobody said that it should get any of them.
 */
export function* outsideRules(
  view: FleetView,
  deviceId: string,
  rollout: RolloutState | undefined,
): Generator<WhyRule> {
  if (rollout !== undefined) {
    yield { rule: 'selector', verdict: 'blocks', detail: `not a target: ${saysNo(view, deviceId, rollout)}` };
    return;
  }
  const open = [...view.state.rollouts.values()]
    .filter(({ document }) => document.state !== 'completed' && document.state !== 'aborted')
    .toSorted((a, b) => b.document.startedAtMs - a.document.startedAtMs);
  for (const each of open.slice(0, maxNamed)) {
    const { id, release } = each.document;
    const detail = `not a target of ${id} (${release}): ${saysNo(view, deviceId, each)}`;
    yield { rule: 'selector', verdict: 'unknown', detail };
  }
}

function saysNo(view: FleetView, deviceId: string, { document, devices }: RolloutState): string {
  const { selector, startedAtMs } = document;
  if (view.state.devices.get(deviceId)?.state !== 'accepted')
    return `only accepted devices are, and it is ${view.state.devices.get(deviceId)?.state ?? 'not known'}`;
  let explanation: Explanation;
  try {
    explanation = explainAccepted(view, selector, deviceId);
  } catch (error) {
    // A group that it names may be gone by now.
    if (error instanceof FlotillaError) return `'${selector}' can't be read any more: ${error.message}`;
    throw error;
  }
  if (explanation.verdict === true) {
    return `'${selector}' matches it now, but the ${devices.length} targets were fixed ${new Date(startedAtMs).toISOString()}`;
  }
  return blamed(explanation)
    .map(({ text, reason }) => `selector term ${text} says no${reason === undefined ? '' : `: ${reason}`}`)
    .join('; ');
}

/** The smallest parts that had to be otherwise. */
function blamed(node: Explanation): Explanation[] {
  const { kind, children } = node;
  if (children.length === 0 || kind === 'not') return [node];
  const wrong = children.filter(({ verdict }) => verdict === false);
  // Of `and` the first that says no is enough; of `or` none says yes.
  return kind === 'or' ? wrong.flatMap(blamed) : wrong.slice(0, 1).flatMap(blamed);
}
