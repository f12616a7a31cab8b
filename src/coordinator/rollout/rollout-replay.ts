/** Goes through a recorded rollout again: see rollout-journal.ts. */
import { isDeepStrictEqual } from 'node:util';
import type {
  PositionRange,
  RolloutOutcome,
  RolloutPlanRow,
  RolloutStepRow,
} from '../../client/contract/rollout-recording.ts';
import { factKey, recallFact, type KnownFacts } from './known-fact.ts';
import type { OfferFacts } from './offer-facts.ts';
import { reduceRollout, type RolloutInput } from './reduce-rollout.ts';
import { createRolloutState, type RolloutDocument, type RolloutState } from './rollout-state.ts';
import type { TargetDevice } from './target-device.ts';

export class RolloutReplay {
  readonly #known = new Map<string, unknown>();
  #rollout: RolloutState;

  constructor({ document, devices }: RolloutPlanRow) {
    this.#rollout = createRolloutState(document as RolloutDocument, devices as TargetDevice[]);
  }

  get rollout(): RolloutState {
    return this.#rollout;
  }

  step({ atMs, input, facts = [], came = [], went = [] }: RolloutStepRow): void {
    const given = input as RolloutInput;
    // A coordinator that has begun anew has told everything anew.
    if (given.kind === 'open') this.#known.clear();
    for (const fact of facts) this.#known.set(factKey(fact), fact[2]);
    const before =
      given.kind === 'open' ? createRolloutState(this.#rollout.document, [...this.#rollout.devices]) : this.#rollout;
    const online = { came: positionsOf(came), went: positionsOf(went) };
    this.#rollout = reduceRollout(before, given, recalled(this.#known, before, online), atMs).state;
  }

  /** What is not as it was recorded: nothing, or the first differences. */
  differences({ document, devices }: RolloutOutcome): string[] {
    const found: string[] = [];
    const own = plain(this.#rollout.document) as Record<string, unknown>;
    for (const [name, value] of Object.entries(document as Record<string, unknown>)) {
      if (!isDeepStrictEqual(own[name], value)) found.push(`${name}: ${told(value)} recorded, ${told(own[name])} here`);
    }
    for (const [position, recorded] of (devices as TargetDevice[]).entries()) {
      const here = position < this.#rollout.devices.length ? plain(this.#rollout.devices.at(position)) : undefined;
      if (!isDeepStrictEqual(here, recorded))
        found.push(`${recorded.deviceId}: ${told(recorded)} recorded, ${told(here)} here`);
    }
    if (devices.length !== this.#rollout.devices.length)
      found.push(`${devices.length} devices recorded, ${this.#rollout.devices.length} here`);
    return found;
  }
}

/** As it comes out of the store. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function told(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 200);
}

/** Whatever is asked of them was asked in the recording, too: the reducers are the same. */
function recalled(
  known: KnownFacts,
  before: RolloutState,
  { came, went }: { came: ReadonlySet<number>; went: ReadonlySet<number> },
): OfferFacts {
  return new Proxy({} as OfferFacts, {
    get:
      (_, name) =>
      (...question: unknown[]) => {
        const position = name === 'connected' ? before.index.get(String(question[0])) : undefined;
        if (position === undefined) return recallFact(known, before.document.id, String(name), question);
        return before.online.at(position) ? !went.has(position) : came.has(position);
      },
  });
}

function positionsOf(ranges: readonly PositionRange[]): Set<number> {
  return new Set(ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at)));
}
