/** What a U-Boot with boot counting does with its environment before it starts a slot. Pure. */
export interface BootDecision {
  slot: string;
  /** To be written to the environment before the slot is started. */
  changes: Record<string, string>;
  /** Of this boot of an unproven slot, from 1; 0 for a proven one. */
  bootCount: number;
  /** The slot that was given up, if this boot is the fall-back. */
  gaveUp?: string;
}

/**
 * `upgrade_available=1` means that the active slot is not proven: each boot counts `bootcount` up, and past `bootlimit`
 * the other slot becomes the active one again (U-Boot's altbootcmd). Without `bootlimit` there is no limit, as in U-Boot.
 * Numbers that are none count as 0.
 *
 * @param slots the names of the two slots; the first is booted when the environment names neither
 */
export function decideBoot(environment: ReadonlyMap<string, string>, slots: readonly [string, string]): BootDecision {
  const named = environment.get('active_slot');
  const active = named === slots[1] ? slots[1] : slots[0];
  if (environment.get('upgrade_available') !== '1') return { slot: active, changes: {}, bootCount: 0 };
  const bootCount = count(environment.get('bootcount')) + 1;
  const limit = environment.has('bootlimit') ? count(environment.get('bootlimit')) : Number.POSITIVE_INFINITY;
  if (bootCount <= limit) return { slot: active, changes: { bootcount: String(bootCount) }, bootCount };
  const other = active === slots[0] ? slots[1] : slots[0];
  return {
    slot: other,
    changes: { active_slot: other, upgrade_available: '0', bootcount: '0' },
    bootCount: 0,
    gaveUp: active,
  };
}

function count(text: string | undefined): number {
  return /^[0-9]{1,9}$/.test(text ?? '') ? Number(text) : 0;
}
