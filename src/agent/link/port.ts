import type { NackClass } from '../../protocol/message.ts';

/** What the rest of the agent sees of the link: a durable log to append to, requests that come in, parts to fetch. */

export type LinkState =
  | 'stopped'
  | 'connecting'
  | 'live'
  /** A session with the control lane alone: the device waits for its operator; the reason says `pending` or `quarantined`. */
  | 'held'
  | 'refused'
  | 'waiting';

export interface LinkStatus {
  state: LinkState;
  sinceMs: number;
  /** Why it is not live: the refusal code, the socket's error, the TLS alert. */
  reason?: string;
  /** Of the refusal, or of the error of the socket or of TLS, where it has one. */
  code?: string;
  /** How far the connection had come that ended: the socket or TLS, the time before WELCOME, a session. */
  stage?: 'dial' | 'hello' | 'session';
  /** When `live` or `held`: what both sides can do, bits of `features`. */
  features?: number;
  /** When `waiting`, the next try. */
  retryAtMs?: number;
}

export interface BlobRange {
  sha256: string;
  offset: number;
  length: number;
  /** At least `length` bytes. */
  into?: Uint8Array;
  /** So many are in `into` by now: a link that is lost leaves them there, and the rest alone need be asked for again. */
  onBytes?(got: number): void;
}

export interface Link {
  start(): void;
  /** Closes the session; appended events stay in the log. */
  stop(): Promise<void>;
  status(): LinkStatus;
  /** Called at each change of state; returns the unsubscribe function. */
  onChange(listener: (status: LinkStatus) => void): () => void;
  /** Ends the session and dials at once, for an identity that has changed. */
  redial(reason: string): void;
  /** There may be new rows in the log: call after each append (it looks at the log, it is not told what). */
  wake(): void;
  /**
   * Bytes `[offset, offset + length)` of a granted blob; the caller verifies them. Rejects when the session ends
   * (FlotillaError `link-lost`), when the coordinator refuses (`blob-refused`), or when aborted. They come in `into`, which
   * is the link's until then, or in memory of their own.
   */
  fetch(blob: BlobRange, signal?: AbortSignal): Promise<Uint8Array>;
  /** Events that the coordinator did not take, by class, since the start of this process. */
  nacks(): Readonly<Record<NackClass, number>>;
  /** The coordinator's time as last told, carried on by the monotonic clock; undefined before the first WELCOME of this process. */
  coordinatorNowMs(): number | undefined;
}
