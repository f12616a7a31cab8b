import type { ByteStream, StreamReceiver } from './byte-stream.ts';

/** Two ends of a stream in memory. Nothing moves by itself: `deliver` carries bytes, in pieces as the test likes. */
export interface MemoryPair {
  a: ByteStream;
  b: ByteStream;
  /** Carries up to `maxBytes` each way; false when there was nothing to carry. */
  deliver(maxBytes?: number): boolean;
  /** Cuts the line: what is under way is lost, both ends hear `cut`. */
  cut(): void;
}

export function createMemoryPair(): MemoryPair {
  const a = new MemoryEnd('memory:a');
  const b = new MemoryEnd('memory:b');
  const close = (reason: string): void => {
    a.close(reason);
    b.close(reason);
  };
  return {
    a,
    b,
    deliver(maxBytes = Infinity) {
      const moved = [a.carry(b, maxBytes), b.carry(a, maxBytes)].includes(true);
      if (a.destroyed || b.destroyed || (a.ended && a.bufferedBytes === 0) || (b.ended && b.bufferedBytes === 0)) {
        close('ended');
      }
      return moved;
    },
    cut: () => close('cut'),
  };
}

class MemoryEnd implements ByteStream {
  readonly address: string;
  readonly traffic = { receivedBytes: 0, sentBytes: 0 };
  ended = false;
  destroyed = false;
  #closed = false;
  #paused = false;
  #receiver: StreamReceiver | undefined;
  #outgoing: Buffer = Buffer.alloc(0);

  constructor(address: string) {
    this.address = address;
  }

  get bufferedBytes(): number {
    return this.#outgoing.length;
  }

  attach(receiver: StreamReceiver): void {
    this.#receiver = receiver;
  }

  write(bytes: Uint8Array): void {
    if (!this.ended && !this.#closed) this.#outgoing = Buffer.concat([this.#outgoing, bytes]);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  carry(to: MemoryEnd, maxBytes: number): boolean {
    if (this.#closed || to.#paused || this.#outgoing.length === 0) return false;
    const bytes = this.#outgoing.subarray(0, maxBytes);
    this.#outgoing = this.#outgoing.subarray(bytes.length);
    this.traffic.sentBytes += bytes.length;
    to.traffic.receivedBytes += bytes.length;
    to.#receiver?.onBytes(Buffer.from(bytes));
    if (this.#outgoing.length === 0) this.#receiver?.onDrain();
    return true;
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outgoing = Buffer.alloc(0);
    this.#receiver?.onClose(reason);
  }
}
