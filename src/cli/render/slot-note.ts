import type { DiskLayout } from '../../firmware/index.ts';

/** `slots a, b: chosen by active_slot in env`; undefined without slots. */
export function slotNote({ slots, switches }: DiskLayout): string | undefined {
  if (slots.length === 0) return undefined;
  const telling = switches.filter(({ tellsSlots }) => tellsSlots);
  const chosen = telling.map(({ kind, what }) => (kind === 'partition' ? 'the partition table' : what));
  return `slots ${slots.map(({ name }) => name).join(', ')}: chosen by ${[...new Set(chosen)].join(' and ')}`;
}
