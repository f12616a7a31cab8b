/** What the updater needs of a bootloader: which slot boots next, is it on probation, what does each slot hold. */

export interface SlotState {
  /** The slot that boots next. */
  active: string;
  /** The slot that has booted, where the boot loader tells; `boot.slotFile` says it otherwise. */
  running?: string;
  /** True while the active slot is on probation: the bootloader counts its boots and falls back past the limit. */
  pending: boolean;
  bootCount: number;
  /** What is known of each slot; one of which nothing is known may be missing. */
  slots: Record<string, SlotContent>;
}

export interface SlotContent {
  uuid?: string;
  version?: string;
  product?: string;
}

/** Every write is synced when it returns, and may be repeated. */
export interface SlotBackend {
  read(): Promise<SlotState>;
  /** This slot, which runs, has proved itself: it boots from now on, without probation. */
  markGood(slot: string): Promise<void>;
  /** The slot boots next, without probation. Writes nothing when that is so already. */
  activate(slot: string): Promise<void>;
  /**
   * The slot, which holds this now, boots next and is on probation. Absent where a bundle's own task switches over, with
   * the very write that names what it wrote.
   */
  tryNext?(slot: string, content: SlotContent): Promise<void>;
  /** A proven slot has booted. For boot loaders that count every boot, not only those on probation. */
  confirmBoot?(slot: string): Promise<void>;
}
