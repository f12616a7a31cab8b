/**
 * The numbers of the fleet's devices in the order of their ids, as runs of a few hundred: finding a place is two binary
 * searches and a new device moves one run, never the fleet. Ids are compared by code point, as UTF-8 bytes would be.
 */
export class IdOrder {
  readonly #idOf: (number: number) => string;
  #runs: number[][] = [];
  /** Added since the last look, not in their place yet: a fleet that is loaded is sorted once. */
  #pending: number[] = [];

  constructor(idOf: (number: number) => string) {
    this.#idOf = idOf;
  }

  add(number: number): void {
    this.#pending.push(number);
  }

  /** While the number still has its id. */
  delete(number: number): void {
    this.#settle();
    const { runAt, at } = this.#placeOf(this.#idOf(number));
    // The place of the first id of a run may be named as the end of the run before.
    const [holder, place] = at === this.#runs[runAt]?.length ? [runAt + 1, 0] : [runAt, at];
    const run = this.#runs[holder];
    if (run?.[place] !== number) return;
    run.splice(place, 1);
    if (run.length === 0) this.#runs.splice(holder, 1);
  }

  /** Runs of all numbers, by id. */
  get runs(): readonly (readonly number[])[] {
    this.#settle();
    return this.#runs;
  }

  /** Tells of each number whose id starts with `prefix`. */
  forEachWithPrefix(prefix: string, visit: (number: number) => void): void {
    this.#settle();
    const from = this.#firstNot((id) => compareIds(id, prefix) < 0);
    const to = this.#firstNot((id) => compareIds(id, prefix) < 0 || id.startsWith(prefix));
    for (let runAt = from.runAt; runAt <= to.runAt; runAt += 1) {
      const run = this.#runs[runAt] ?? [];
      const end = runAt === to.runAt ? to.at : run.length;
      for (let at = runAt === from.runAt ? from.at : 0; at < end; at += 1) visit(run[at]!);
    }
  }

  #settle(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    const size = this.#runs.length * runLength;
    if (pending.length * 8 > size) this.#rebuild([...this.#runs.flat(), ...pending]);
    else for (const number of pending) this.#insert(number);
  }

  #rebuild(numbers: number[]): void {
    numbers.sort((left, right) => compareIds(this.#idOf(left), this.#idOf(right)));
    this.#runs = [];
    for (let at = 0; at < numbers.length; at += runLength) this.#runs.push(numbers.slice(at, at + runLength));
  }

  #insert(number: number): void {
    const id = this.#idOf(number);
    const { runAt, at } = this.#placeOf(id);
    const run = this.#runs[runAt];
    if (run === undefined) {
      this.#runs.push([number]);
      return;
    }
    run.splice(at, 0, number);
    if (run.length >= 2 * runLength) this.#runs.splice(runAt + 1, 0, run.splice(runLength));
  }

  /** Where `id` stands or would stand. */
  #placeOf(id: string): Place {
    return this.#firstNot((other) => compareIds(other, id) < 0);
  }

  /** The place after all ids that are `before`, in the run of the last of them. */
  #firstNot(isBefore: (id: string) => boolean): Place {
    const runAt = Math.max(firstFalse(this.#runs.length, (at) => isBefore(this.#idOf(this.#runs[at]![0]!))) - 1, 0);
    const run = this.#runs[runAt] ?? [];
    return { runAt, at: firstFalse(run.length, (at) => isBefore(this.#idOf(run[at]!))) };
  }
}

interface Place {
  runAt: number;
  at: number;
}

/** Of a row of true and then false answers: where the false ones start. */
function firstFalse(length: number, test: (at: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

const runLength = 512;

/** UTF-16 puts surrogates before the characters from U+E000 on. */
export function compareIds(left: string, right: string): number {
  if (left === right) return 0;
  const isLess = left < right;
  if (isPlain(left) && isPlain(right)) return isLess ? -1 : 1;
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** Legal ids are ASCII; an inventory file may hold others. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) >= 0xd800) return false;
  return true;
}
