import type {
  SelectCompletion,
  SelectCount,
  SelectExplanation,
  SelectMatch,
  SelectRequest,
  SelectValues,
  ValuesRequest,
} from '../../client/contract/select.ts';
import { completeSelector, distributionOf, parsePlace, type Target } from '../../selector/index.ts';
import { groupSource } from '../core/group-operation.ts';
import type { ServiceContext } from './context.ts';
import { acceptedTargets, explainAccepted, matchAccepted } from './target.ts';

/** The very code that jobs and rollouts resolve their devices with. */
export function matchSelector({ core }: ServiceContext, { selector }: SelectRequest): Promise<SelectMatch> {
  return core.submit((turn) => {
    const ids = matchAccepted(turn, selector);
    return { selector, count: ids.length, ids };
  });
}

export function countSelector({ core }: ServiceContext, { selector }: SelectRequest): Promise<SelectCount> {
  return core.submit((turn) => ({ selector, count: matchAccepted(turn, selector).length }));
}

const defaultValues = 20;

/** Of the accepted devices, or of those among them that match. */
export function showValues({ core }: ServiceContext, request: ValuesRequest): Promise<SelectValues> {
  const { place, selector, limit = defaultValues } = request;
  return core.submit((turn) => ({
    place,
    ...distributionOf(acceptedTargets(turn, selector), parsePlace(place), limit),
  }));
}

/** From all known devices: some verbs decide on those that nobody has accepted. */
export function completeText({ core }: ServiceContext, text: string): Promise<SelectCompletion> {
  return core.submit(({ state }) => {
    const { index } = state.registry;
    const targets = function* (): Generator<Target> {
      for (const id of index.idsOf(index.all)) yield index.get(id)!;
    };
    const ids = (): string[] => index.idsOf(index.all);
    return { candidates: completeSelector(text, { targets, ids, groups: groupSource(state) }) };
  });
}

export function explain({ core }: ServiceContext, { selector, deviceId }: SelectRequest): Promise<SelectExplanation> {
  return core.submit((turn) => explainAccepted(turn, selector, deviceId));
}
