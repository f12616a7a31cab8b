import type { RowDecoder } from '../../protocol/row-decoder.ts';

/** What is asked of a connection that goes or comes. */
export interface WarmConnection {
  readonly identity: { readonly deviceId: string };
  readonly session: { readonly instanceId: bigint | undefined; readonly reader: RowDecoder | undefined };
}

interface Kept {
  instanceId: bigint | undefined;
  reader: RowDecoder;
  heldBytes: number;
}

/** A small state is about 5 kB; the largest that a device can make is about 6 MB. */
const defaultMaxBytes = 64 * 1024 * 1024;

/**
 * The state of rows of devices that are away: one that comes back to this gateway need not start cold. One for each
 * device, and of all together so many bytes; the one that left first goes first.
 */
export class WarmReaders {
  readonly #maxBytes: number;
  readonly #kept = new Map<string, Kept>();
  #heldBytes = 0;

  constructor(maxBytes: number = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  keep({ identity: { deviceId }, session: { reader, instanceId } }: WarmConnection): void {
    if (reader === undefined) return;
    this.#remove(deviceId);
    const { heldBytes } = reader;
    this.#kept.set(deviceId, { instanceId, reader, heldBytes });
    this.#heldBytes += heldBytes;
    for (const first of this.#kept.keys()) {
      if (this.#heldBytes <= this.#maxBytes) break;
      this.#remove(first);
    }
  }

  /** For one session alone; of another instance it is of no use. */
  take({ identity: { deviceId }, session: { instanceId } }: WarmConnection): { warm?: RowDecoder } {
    const kept = this.#remove(deviceId);
    return kept === undefined || kept.instanceId !== instanceId ? {} : { warm: kept.reader };
  }

  #remove(deviceId: string): Kept | undefined {
    const kept = this.#kept.get(deviceId);
    if (kept !== undefined) this.#heldBytes -= kept.heldBytes;
    this.#kept.delete(deviceId);
    return kept;
  }
}
