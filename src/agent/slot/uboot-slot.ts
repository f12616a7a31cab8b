// Not by the engine's index: the boot environment is read at every start, the engine is for an update alone.
import type { UbootLayout } from '../../firmware/apply/uboot-environment.ts';
import { readUbootEnvironment, writeUbootEnvironment } from '../../firmware/apply/uboot-file.ts';
import type { SlotBackend } from './slot-backend.ts';
import { slotStateOf, type SlotVariableName } from './slot-variable.ts';

export interface UbootSlotOption extends UbootLayout, SlotVariableName {
  /** The disk or image that holds the environment. */
  destination: string;
}

/** Slots as U-Boot's environment tells of them. */
export function createUbootSlots(option: UbootSlotOption): SlotBackend {
  const {
    destination,
    activeVariable,
    pendingVariable,
    bootcountVariable,
    blockOffset,
    blockCount,
    blockOffsetRedund,
  } = option;
  const layout: UbootLayout = {
    blockOffset,
    blockCount,
    ...(blockOffsetRedund === undefined ? {} : { blockOffsetRedund }),
  };
  const write = (changes: Record<string, string>) => writeUbootEnvironment(destination, layout, changes);
  return {
    async read() {
      return slotStateOf(await readUbootEnvironment(destination, layout), option);
    },
    markGood: () => write({ [pendingVariable]: '0', [bootcountVariable]: '0' }),
    activate: (slot) => write({ [activeVariable]: slot, [pendingVariable]: '0', [bootcountVariable]: '0' }),
  };
}
