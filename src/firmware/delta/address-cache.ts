import { nearSlots, sameSlots } from './code-table.ts';

/** How an address is written (RFC 3284, section 5.3): the mode, and what follows it. */
export interface WrittenAddress {
  readonly mode: number;
  /** An integer of base 128, or with a mode of `same` one byte. */
  readonly value: number;
}

const sameSize = sameSlots * 256;
export const firstSameMode = 2 + nearSlots;

/** Recently used addresses: 4 near ones in turn, 3 * 256 by their last digits. Empty at the start of each window. */
export class AddressCache {
  readonly #near = new Float64Array(nearSlots);
  readonly #same = new Float64Array(sameSize);
  #next = 0;

  /** The address that a mode and its value mean. `here`: the position of the copy itself. */
  read(mode: number, value: number, here: number): number {
    let address: number;
    if (mode === 0) address = value;
    else if (mode === 1) address = here - value;
    else if (mode < firstSameMode) address = this.#near[mode - 2]! + value;
    else address = this.#same[(mode - firstSameMode) * 256 + value]!;
    this.#remember(address);
    return address;
  }

  /** The shortest way to write an address. */
  write(address: number, here: number): WrittenAddress {
    const slot = address % sameSize;
    let mode = 0;
    let value = address;
    if (address > 0 && this.#same[slot] === address) {
      mode = firstSameMode + (slot >> 8);
      value = slot & 0xff;
    } else {
      if (here - address < value) {
        mode = 1;
        value = here - address;
      }
      for (let near = 0; near < nearSlots; near++) {
        const distance = address - this.#near[near]!;
        if (distance < 0 || distance >= value) continue;
        mode = 2 + near;
        value = distance;
      }
    }
    this.#remember(address);
    return { mode, value };
  }

  #remember(address: number): void {
    this.#near[this.#next] = address;
    this.#next = (this.#next + 1) % nearSlots;
    this.#same[address % sameSize] = address;
  }
}
