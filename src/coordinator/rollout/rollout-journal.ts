/**
 * What a rollout went by, step by step: each input that changed it, with those answers of the registry and of the presence
 * that were not known from a step before. With the plan it gives the same rollout again, whatever is added to the rules.
 */
import { isDeepStrictEqual } from 'node:util';
import type { RolloutOutcome, RolloutPlanRow, RolloutStepRow } from '../../client/contract/rollout-recording.ts';
import type { OfferFacts } from './offer-facts.ts';
import { reduceRollout, type RolloutInput } from './reduce-rollout.ts';
import { createRolloutState, type RolloutDocument, type RolloutState } from './rollout-state.ts';
import type { TargetDevice } from './target-device.ts';

type Ask = (...question: unknown[]) => unknown;

/** A step as it is stored; undefined when the input has changed nothing. */
export function journalStep(
  before: RolloutState,
  after: RolloutState,
  input: RolloutInput,
  { facts, known, nowMs }: { facts: OfferFacts; known: ReadonlyMap<string, string>; nowMs: number },
): RolloutStepRow | undefined {
  // A rollout that was loaded looks at everybody again, whether that changes anything or not.
  if (input.kind !== 'open' && isSame(before, after)) return undefined;
  const news = new Map<string, string>();
  const note = (question: string, answer: string): void => {
    if ((news.get(question) ?? known.get(question)) !== answer) news.set(question, answer);
  };
  reduceRollout(before, input, listening(facts, note), nowMs);
  return { kind: 'step', atMs: nowMs, input, ...(news.size === 0 ? {} : { facts: [...news] }) };
}

export function planRow({ document, devices }: RolloutState): RolloutPlanRow {
  return { kind: 'plan', document, devices: [...devices] };
}

/** Goes through the steps again. */
export class RolloutReplay {
  readonly #known = new Map<string, string>();
  readonly #facts: OfferFacts;
  #rollout: RolloutState;

  constructor({ document, devices }: RolloutPlanRow) {
    this.#rollout = createRolloutState(document as RolloutDocument, devices as TargetDevice[]);
    this.#facts = recalled(this.#known);
  }

  get rollout(): RolloutState {
    return this.#rollout;
  }

  step({ atMs, input, facts = [] }: RolloutStepRow): void {
    for (const [question, answer] of facts) this.#known.set(question, answer);
    const given = input as RolloutInput;
    const before =
      given.kind === 'open' ? createRolloutState(this.#rollout.document, [...this.#rollout.devices]) : this.#rollout;
    this.#rollout = reduceRollout(before, given, this.#facts, atMs).state;
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

function isSame(before: RolloutState, after: RolloutState): boolean {
  return (Object.keys(after) as (keyof RolloutState)[]).every((name) => before[name] === after[name]);
}

function listening(facts: OfferFacts, note: (question: string, answer: string) => void): OfferFacts {
  const heard = Object.entries(facts as unknown as Record<string, Ask>).map(([name, ask]) => [
    name,
    (...question: unknown[]) => {
      const answer = ask(...question);
      note(JSON.stringify([name, ...question]), JSON.stringify(answer) ?? '');
      return answer;
    },
  ]);
  return Object.fromEntries(heard) as OfferFacts;
}

/** Whatever is asked of them was asked in the recording, too: the reducers are the same. */
function recalled(known: ReadonlyMap<string, string>): OfferFacts {
  return new Proxy({} as OfferFacts, {
    get:
      (_, name) =>
      (...question: unknown[]) => {
        const answer = known.get(JSON.stringify([name, ...question])) ?? '';
        return answer === '' ? undefined : (JSON.parse(answer) as unknown);
      },
  });
}

/** As it comes out of the store. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function told(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 200);
}
