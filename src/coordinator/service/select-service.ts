import type { SelectExplanation, SelectMatch, SelectRequest } from '../../client/contract/select.ts';
import { explainSelector, parseSelector } from '../../selector/index.ts';
import type { ServiceContext } from './context.ts';
import { acceptedTargets, matchAccepted } from './target.ts';

/** The very code that jobs and rollouts resolve their devices with. */
export function matchSelector({ core }: ServiceContext, { selector }: SelectRequest): Promise<SelectMatch> {
  return core.submit((turn) => {
    const ids = matchAccepted(turn, selector);
    return { selector, count: ids.length, ids };
  });
}

export function explain({ core }: ServiceContext, { selector, deviceId }: SelectRequest): Promise<SelectExplanation> {
  return core.submit(({ state, nowMs }) =>
    explainSelector(parseSelector(selector), [...acceptedTargets(state)], nowMs, deviceId),
  );
}
