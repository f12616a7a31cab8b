import type { SelectExplanation, SelectMatch, SelectRequest } from '../../client/contract/select.ts';
import type { ServiceContext } from './context.ts';
import { explainAccepted, matchAccepted } from './target.ts';

/** The very code that jobs and rollouts resolve their devices with. */
export function matchSelector({ core }: ServiceContext, { selector }: SelectRequest): Promise<SelectMatch> {
  return core.submit((turn) => {
    const ids = matchAccepted(turn, selector);
    return { selector, count: ids.length, ids };
  });
}

export function explain({ core }: ServiceContext, { selector, deviceId }: SelectRequest): Promise<SelectExplanation> {
  return core.submit((turn) => explainAccepted(turn, selector, deviceId));
}
