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
  followUps: number;
}

/** In place of a value that the map did not have. */
const absent = Symbol('absent');
/** Map, key, value before: three in a row for each change, because a closure each is half of what a turn costs. */
const undoLength = 3;

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
  /** Inputs of turns to come: what goes on once this one is durable. */
  readonly followUps: ((turn: Turn) => void)[] = [];
  readonly #gateway: () => GatewayPort;
  readonly #after: ((gateway: GatewayPort) => void)[] = [];
  readonly #undo: unknown[] = [];

  constructor(state: CoreState, gateway: () => GatewayPort, nowMs: number) {
    this.state = state;
    this.#gateway = gateway;
    this.nowMs = nowMs;
  }

  set<K, V>(map: Map<K, V>, key: K, value: V): void {
    const before = map.get(key);
    this.#undo.push(map, key, before === undefined && !map.has(key) ? absent : before);
    map.set(key, value);
  }

  delete<K, V>(map: Map<K, V>, key: K): void {
    const before = map.get(key);
    if (before === undefined && !map.has(key)) return;
    this.#undo.push(map, key, before);
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
    this.#after.push(act);
  }

  mark(): Mark {
    return {
      writes: this.writes.length,
      undo: this.#undo.length,
      after: this.#after.length,
      changes: this.changes.length,
      effects: this.effects.length,
      followUps: this.followUps.length,
    };
  }

  rollback(mark: Mark): void {
    const undo = this.#undo;
    for (let at = undo.length - undoLength; at >= mark.undo; at -= undoLength) {
      const [map, key, before] = undo.slice(at) as [Map<unknown, unknown>, unknown, unknown];
      if (before === absent) map.delete(key);
      else map.set(key, before);
      undo.length = at;
    }
    this.writes.length = mark.writes;
    this.#after.length = mark.after;
    this.changes.length = mark.changes;
    this.effects.length = mark.effects;
    this.followUps.length = mark.followUps;
  }

  release(): void {
    for (const act of this.#after) act(this.#gateway());
  }
}
