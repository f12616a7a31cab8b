/**
 * One code for each device number, zero for none. A column that most devices have is an array of 4 bytes a device; one
 * that few have, as when each device reports names of its own, is a map, or a fleet of odd devices would take an array
 * of the whole fleet for every name.
 */
export class CodeColumn {
  #dense: Uint32Array | undefined;
  readonly #sparse = new Map<number, number>();
  #size = 0;

  /** Devices that have a code. */
  get size(): number {
    return this.#size;
  }

  get(device: number): number {
    return this.#dense === undefined ? (this.#sparse.get(device) ?? 0) : (this.#dense[device] ?? 0);
  }

  /** Zero takes the code away. `room`: numbers that the fleet has given out. */
  set(device: number, code: number, room: number): void {
    const before = this.get(device);
    if (before === code) return;
    this.#size += (code === 0 ? 0 : 1) - (before === 0 ? 0 : 1);
    if (this.#dense !== undefined) {
      if (device >= this.#dense.length) this.#dense = grown(this.#dense, Math.max(device + 1, room));
      this.#dense[device] = code;
      return;
    }
    if (code === 0) this.#sparse.delete(device);
    else this.#sparse.set(device, code);
    if (this.#sparse.size * entryToCode > room) this.#makeDense(Math.max(device + 1, room));
  }

  /** The array, for loops; undefined while the column is a map. */
  get dense(): Uint32Array | undefined {
    return this.#dense;
  }

  get sparse(): ReadonlyMap<number, number> {
    return this.#sparse;
  }

  #makeDense(room: number): void {
    const dense = new Uint32Array(room);
    for (const [device, code] of this.#sparse) dense[device] = code;
    this.#dense = dense;
    this.#sparse.clear();
  }
}

/** An entry of a map takes about as much memory as this many codes of an array. */
const entryToCode = 10;

function grown(codes: Uint32Array, room: number): Uint32Array {
  const larger = new Uint32Array(Math.max(room, codes.length + (codes.length >> 2)));
  larger.set(codes);
  return larger;
}
