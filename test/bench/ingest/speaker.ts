import type { WireEvent } from '../wire/event-set.ts';

/** One connection of a generator: writes batches, counts what the other end has confirmed. */
export interface Speaker {
  /** Ready to send. */
  readonly ready: boolean;
  /** May the next batch be handed over, as far as the protocol goes? */
  readonly open: boolean;
  send(events: WireEvent[], firstOffset: number): void;
  end(): void;
}

export interface SpeakerOption {
  id: string;
  /** Events, in the order of sending. */
  onConfirmed(count: number): void;
  onFailed(reason: string): void;
}
