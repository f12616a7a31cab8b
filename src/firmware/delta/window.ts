import { AddressCache, firstSameMode } from './address-cache.ts';
import { adler32 } from './adler.ts';
import { codeTable, type Instruction } from './code-table.ts';
import { patchError } from './patch-error.ts';

/** What a patch copies from. */
export interface DeltaSource {
  /** Fills all of `into` with what stands from byte `offset` on, or throws. */
  read(offset: number, into: Buffer): Promise<void>;
}

/** One window of a patch: a run of the target, with its three sections. */
export interface PatchWindow {
  readonly sourceStart: number;
  readonly sourceLength: number;
  readonly targetLength: number;
  readonly checksum: number | undefined;
  readonly data: Buffer;
  readonly instructions: Buffer;
  readonly addresses: Buffer;
}

/** A cursor over one section; integers are base 128, big-endian, high bit for "more". */
export class SectionCursor {
  readonly #bytes: Buffer;
  readonly #name: string;
  #at = 0;

  constructor(bytes: Buffer, name: string) {
    this.#bytes = bytes;
    this.#name = name;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw patchError(`${this.#name} underflow`);
    return value;
  }

  integer(): number {
    let value = 0;
    for (;;) {
      const byte = this.byte();
      value = value * 128 + (byte & 0x7f);
      if (!Number.isSafeInteger(value)) throw patchError(`${this.#name} holds an absurd number`);
      if ((byte & 0x80) === 0) return value;
    }
  }

  take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw patchError(`${this.#name} underflow`);
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}

/**
 * The target bytes of a window. Without a source only the shape is checked: every instruction has its data and an
 * address that exists, and together they make the length that was promised; the bytes are then meaningless.
 * @param target the memory to put them in, of the window's length
 */
export async function decodeWindow(
  window: PatchWindow,
  source: DeltaSource | undefined,
  target: Buffer,
): Promise<void> {
  const { sourceStart, sourceLength, targetLength } = window;
  const data = new SectionCursor(window.data, 'data');
  const instructions = new SectionCursor(window.instructions, 'instructions');
  const addresses = new SectionCursor(window.addresses, 'addresses');
  const cache = new AddressCache();
  let at = 0;
  const run = async ({ operation, size: fixed, mode }: Instruction): Promise<void> => {
    const size = fixed === 0 ? instructions.integer() : fixed;
    if (at + size > targetLength) throw patchError('overflow of the target window');
    if (operation === 'add') data.take(size).copy(target, at);
    else if (operation === 'run') target.fill(data.byte(), at, at + size);
    else {
      const here = sourceLength + at;
      const address = cache.read(mode, mode < firstSameMode ? addresses.integer() : addresses.byte(), here);
      if (address < 0 || address >= here) throw patchError('address too large');
      if (address >= sourceLength) copyForward(target, address - sourceLength, at, size);
      else if (address + size > sourceLength) throw patchError('size too large');
      else if (source) await source.read(sourceStart + address, target.subarray(at, at + size));
    }
    at += size;
  };
  while (!instructions.isAtEnd) {
    for (const instruction of codeTable[instructions.byte()]!) await run(instruction);
  }
  if (at !== targetLength) throw patchError('wrong window length');
  if (!data.isAtEnd || !addresses.isAtEnd) throw patchError('extra data in a window');
  if (source && window.checksum !== undefined && adler32(target) !== window.checksum) {
    throw patchError('target window checksum mismatch');
  }
}

/** A copy may run into itself: then it repeats what it has just written. */
function copyForward(target: Buffer, from: number, to: number, size: number): void {
  if (from + size <= to) target.copyWithin(to, from, from + size);
  else for (let index = 0; index < size; index++) target[to + index] = target[from + index]!;
}
