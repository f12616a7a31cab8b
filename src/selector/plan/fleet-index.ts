import type { Target } from '../evaluate.ts';
import type { FactRecord } from '../fact-text.ts';
import { DeviceSet } from './device-set.ts';
import { FactIndex } from './fact-index.ts';
import { compareIds, IdOrder } from './id-order.ts';

/**
 * What selectors see of a whole fleet, ready to be asked: ids in order and facts as columns. Kept up to date device by
 * device; every change is done when the call returns, so whoever looks sees the fleet of one instant.
 */
export class FleetIndex<T extends Target = Target> {
  /** Numbers that were given out, some of them free again. */
  #room = 0;
  readonly #free: number[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #ids: string[] = [];
  readonly #targets: (T | undefined)[] = [];
  readonly #order = new IdOrder((number) => this.#ids[number]!);
  readonly #all = new DeviceSet();
  readonly grains = new FactIndex();
  readonly tags = new FactIndex();

  get size(): number {
    return this.#numbers.size;
  }

  /** Every number is below it. */
  get room(): number {
    return this.#room;
  }

  /** All devices. Not to be changed. */
  get all(): DeviceSet {
    return this.#all;
  }

  get order(): IdOrder {
    return this.#order;
  }

  numberOf(id: string): number | undefined {
    return this.#numbers.get(id);
  }

  targetOf(number: number): T | undefined {
    return this.#targets[number];
  }

  idOf(number: number): string {
    return this.#ids[number]!;
  }

  get(id: string): T | undefined {
    const number = this.#numbers.get(id);
    return number === undefined ? undefined : this.#targets[number];
  }

  /** A device that is new, or how it is from now on. What is the same object as before costs nothing. */
  put(target: T): void {
    const known = this.#numbers.get(target.id);
    const number = known ?? this.#free.pop() ?? this.#room++;
    const before = this.#targets[number];
    this.#targets[number] = target;
    if (known === undefined) {
      this.#ids[number] = target.id;
      this.#numbers.set(target.id, number);
      this.#order.add(number);
      this.#all.add(number);
    }
    this.#change(number, before, target);
  }

  delete(id: string): void {
    const number = this.#numbers.get(id);
    if (number === undefined) return;
    this.#change(number, this.#targets[number], undefined);
    this.#order.delete(number);
    this.#numbers.delete(id);
    this.#all.delete(number);
    this.#targets[number] = undefined;
    this.#free.push(number);
  }

  #change(number: number, before: Target | undefined, after: Target | undefined): void {
    this.grains.change(number, before?.grains ?? nothing, after?.grains ?? nothing, this.#room);
    this.tags.change(number, before?.tags ?? nothing, after?.tags ?? nothing, this.#room);
  }

  /** Ids of a set, by code point. */
  idsOf(set: DeviceSet): string[] {
    const ids: string[] = [];
    if (set.size < this.size / 32) {
      set.forEach((number) => ids.push(this.#ids[number]!));
      return ids.sort(compareIds);
    }
    for (const run of this.#order.runs) {
      for (const number of run) if (set.has(number)) ids.push(this.#ids[number]!);
    }
    return ids;
  }
}

const nothing: FactRecord = {};
