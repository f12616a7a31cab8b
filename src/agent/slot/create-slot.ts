import type { UpdateConfig } from '../../config/agent-config.ts';
import { createFileSlots } from './file-slot.ts';
import { createScriptSlots } from './script-slot.ts';
import type { SlotBackend } from './slot-backend.ts';
import { createUbootSlots } from './uboot-slot.ts';

/** The back end that `update.slot` names. */
export function createSlots({ slot, destination }: Pick<UpdateConfig, 'slot' | 'destination'>): SlotBackend {
  if (slot.backend === 'file') return createFileSlots(slot);
  return slot.backend === 'script' ? createScriptSlots(slot) : createUbootSlots({ ...slot, destination });
}
