import type { Effect } from '../effect.ts';
import type { GatewayPort } from '../gateway/port.ts';
import type { Write } from '../../store/write.ts';
import type { Change, CoreState, Counter } from './core-state.ts';

export interface Mark {
  writes: number;
  undo: number;
  after: number;
  changes: number;
  effects: number;
}

/**
 * One batch of inputs: they change the state at once, their writes are committed together, and only then does anything
 * leave the process. If the commit fails, the state goes back to what is stored.
 */
export class Turn {
  readonly state: CoreState;
  readonly nowMs: number;
  readonly writes: Write[] = [];
  readonly changes: Change[] = [];
  /** What reducers want and nobody has carried out yet: see settle.ts. */
  readonly effects: Effect[] = [];
  /** Devices whose outbox has something new for a live connection. */
  readonly toFlush = new Set<string>();
  readonly #gateway: () => GatewayPort;
  readonly #after: (() => void)[] = [];
  readonly #undo: (() => void)[] = [];

  constructor(state: CoreState, gateway: () => GatewayPort, nowMs: number) {
    this.state = state;
    this.#gateway = gateway;
    this.nowMs = nowMs;
  }

  set<K, V>(map: Map<K, V>, key: K, value: V): void {
    const had = map.has(key);
    const before = map.get(key) as V;
    this.#undo.push(() => void (had ? map.set(key, before) : map.delete(key)));
    map.set(key, value);
  }

  delete<K, V>(map: Map<K, V>, key: K): void {
    if (!map.has(key)) return;
    const before = map.get(key) as V;
    this.#undo.push(() => void map.set(key, before));
    map.delete(key);
  }

  next(counter: Counter): number {
    return this.reserve(counter, 1);
  }

  /** The first of `count` numbers in a row. */
  reserve(counter: Counter, count: number): number {
    const last = this.state.counters.get(counter) ?? 0;
    this.set(this.state.counters, counter, last + count);
    return last + 1;
  }

  write(write: Write): void {
    this.writes.push(write);
  }

  notify(change: Change): void {
    this.changes.push(change);
  }

  /** Told to the gateways once the writes of this turn are durable. */
  afterCommit(act: (gateway: GatewayPort) => void): void {
    this.#after.push(() => act(this.#gateway()));
  }

  mark(): Mark {
    return {
      writes: this.writes.length,
      undo: this.#undo.length,
      after: this.#after.length,
      changes: this.changes.length,
      effects: this.effects.length,
    };
  }

  rollback(mark: Mark): void {
    while (this.#undo.length > mark.undo) this.#undo.pop()!();
    this.writes.length = mark.writes;
    this.#after.length = mark.after;
    this.changes.length = mark.changes;
    this.effects.length = mark.effects;
  }

  release(): void {
    for (const act of this.#after) act();
  }
}
