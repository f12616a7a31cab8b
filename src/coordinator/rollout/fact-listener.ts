import type { PositionRange, RolloutFact } from '../../client/contract/rollout-recording.ts';
import { factKey, recallFact, type KnownFacts } from './known-fact.ts';
import type { OfferFacts } from './offer-facts.ts';
import type { RolloutState } from './rollout-state.ts';

export type Ask = (...question: unknown[]) => unknown;

/** Passes the questions of one step on, and notes each answer that a replay would not give by itself. */
export class FactListener {
  readonly facts: OfferFacts;
  readonly #before: RolloutState;
  readonly #known: KnownFacts;
  readonly #news = new Map<string, RolloutFact>();
  readonly #came = new Set<number>();
  readonly #went = new Set<number>();

  constructor(facts: OfferFacts, before: RolloutState, known: KnownFacts) {
    this.#before = before;
    this.#known = known;
    const heard = Object.entries(facts as unknown as Record<string, Ask>).map(([name, ask]) => [
      name,
      (...question: unknown[]) => {
        const answer = ask(...question);
        this.#note(name, question, answer);
        return answer;
      },
    ]);
    this.facts = Object.fromEntries(heard) as OfferFacts;
  }

  /** As they stand in the journal. */
  news(): { facts?: RolloutFact[]; came?: PositionRange[]; went?: PositionRange[] } {
    return {
      ...(this.#news.size === 0 ? {} : { facts: [...this.#news.values()] }),
      ...(this.#came.size === 0 ? {} : { came: rangesOf(this.#came) }),
      ...(this.#went.size === 0 ? {} : { went: rangesOf(this.#went) }),
    };
  }

  #note(name: string, question: readonly unknown[], answer: unknown): void {
    if (name === 'connected') {
      const position = this.#before.index.get(String(question[0]));
      if (position !== undefined) {
        if (this.#before.online.at(position) !== answer) (answer === true ? this.#came : this.#went).add(position);
        return;
      }
    }
    const key = factKey([name, question]);
    const told = this.#news.has(key) ? new Map([[key, this.#news.get(key)![2]]]) : this.#known;
    if (isSame(recallFact(told, this.#before.document.id, name, question), answer)) return;
    this.#news.set(key, answer === undefined ? [name, question] : [name, question, answer]);
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));
}

function rangesOf(positions: ReadonlySet<number>): PositionRange[] {
  const ranges: PositionRange[] = [];
  for (const position of [...positions].toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === position - 1) last[1] = position;
    else ranges.push([position, position]);
  }
  return ranges;
}
