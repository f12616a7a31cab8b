/** One authenticated stream of bytes, whatever carries it. */
export interface ByteStream {
  /** Of the peer, for logs. */
  readonly address: string;
  /** Accepted by `write` and not yet with the kernel. */
  readonly bufferedBytes: number;
  /** What the network carried, TLS included. */
  readonly traffic: StreamTraffic;
  /** From now on the receiver is called; once, before anything may arrive. */
  attach(receiver: StreamReceiver): void;
  write(bytes: Uint8Array): void;
  pause(): void;
  resume(): void;
  /** Closes after what was written has left. */
  end(): void;
  destroy(): void;
}

export interface StreamTraffic {
  receivedBytes: number;
  sentBytes: number;
}

export interface StreamReceiver {
  onBytes(bytes: Uint8Array): void;
  /** All that was written is with the kernel. */
  onDrain(): void;
  /** Once; nothing comes after it. `ended` when the peer closed in good order, else what went wrong. */
  onClose(reason: string): void;
}
