import type { Log } from '../../log.ts';
import type { Running } from '../../protocol/event.ts';
import type { SlotBackend } from './slot-backend.ts';

/**
 * Tells a boot loader that counts every boot that this one came up: the proven slot runs, and boots next. A slot on
 * probation, or one that boots only once, is left to the updater.
 */
export async function confirmBoot(slots: SlotBackend, running: () => Promise<Running>, logger: Log): Promise<void> {
  if (slots.confirmBoot === undefined) return;
  try {
    const [{ slot }, { active, pending }] = await Promise.all([running(), slots.read()]);
    if (slot === active && !pending) await slots.confirmBoot(slot);
  } catch (error) {
    logger.warn({ err: error }, 'the boot loader was not told that this slot came up');
  }
}
