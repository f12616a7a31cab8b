/** What the updater needs of a bootloader: which slot boots next, is it on probation, what does each slot hold. */

export interface SlotState {
  /** The slot that boots next. */
  active: string;
  /** True while the active slot is on probation: the bootloader counts its boots and falls back past the limit. */
  pending: boolean;
  bootCount: number;
  /** What the environment says of each slot. */
  slots: Record<string, SlotContent>;
}

export interface SlotContent {
  uuid?: string;
  version?: string;
  product?: string;
}

/** Every write is one write of the whole environment, synced: it happened or it did not. */
export interface SlotBackend {
  read(): Promise<SlotState>;
  /** The active slot has proved itself: no probation, boot count 0. */
  markGood(): Promise<void>;
  /** The slot boots next, without probation. Writes nothing when that is so already. */
  activate(slot: string): Promise<void>;
}
