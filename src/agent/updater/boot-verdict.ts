import type { Running } from '../../protocol/event.ts';
import type { SlotState } from '../slot/slot-backend.ts';
import type { UpdateHappening } from './transition.ts';
import type { Update, UpdateReason } from './update.ts';

/** What the machine says of itself, read just now. */
export interface MachineFact {
  running: Running;
  slots: SlotState;
}

/**
 * What a machine that was found in this state of an update proves, or undefined when it proves nothing new. Only a new
 * boot id is a restart: the agent alone may have ended and come back.
 */
export function bootVerdict(update: Update, { running, slots }: MachineFact): UpdateHappening | undefined {
  const { before, bundle } = update;
  const restarted = running.bootId !== before.bootId;
  const onOldSlot = running.slot === before.slot;
  switch (update.state) {
    case 'installing':
      if (slots.active !== before.slot && slots.slots[slots.active]?.uuid === bundle.bundleUuid)
        return { type: 'flipped' };
      if (!onOldSlot) return { type: 'install-failed', reason: wrongBundle(update, running) };
      // The flip names slot and bundle in one write: the name without the flip is a boot loader that went back.
      return restarted &&
        onOldSlot &&
        inactiveUuid(slots, before) === bundle.bundleUuid &&
        update.inactiveUuid !== bundle.bundleUuid
        ? { type: 'fell-back', after: running, reason: fallback }
        : undefined;
    case 'rebooting':
      if (!restarted) return undefined;
      if (onOldSlot) return { type: 'fell-back', after: running, reason: fallback };
      return running.bundleUuid === bundle.bundleUuid
        ? { type: 'booted-new', after: running }
        : { type: 'test-failed', reason: wrongBundle(update, running) };
    case 'testing':
      if (onOldSlot) return { type: 'fell-back', after: running, reason: fallback };
      return running.bundleUuid === bundle.bundleUuid
        ? undefined
        : { type: 'test-failed', reason: wrongBundle(update, running) };
    case 'reverting':
      return onOldSlot && slots.active === before.slot && !slots.pending
        ? { type: 'reverted', after: running }
        : undefined;
    default:
      return undefined;
  }
}

/** What the environment calls the bundle of a slot that is not the running one. */
export function inactiveUuid(slots: SlotState, running: Running): string | undefined {
  return Object.entries(slots.slots).find(([slot, { uuid }]) => slot !== running.slot && uuid !== undefined)?.[1].uuid;
}

/** The slot that is written while this one runs. */
export function otherSlot({ running, slots }: MachineFact): string | undefined {
  return Object.keys(slots.slots).find((slot) => slot !== running.slot);
}

/** Why nothing may be installed on this machine now; undefined when nothing is in the way. */
export function slotObstacle({ running, slots }: MachineFact): UpdateReason | undefined {
  if (running.slot === undefined)
    return { code: 'slot-unknown', message: 'the machine does not say which slot it booted' };
  if (slots.active !== running.slot) {
    return { code: 'slot-not-running', message: `slot ${running.slot} runs, but ${slots.active} is set to boot next` };
  }
  if (slots.pending)
    return {
      code: 'slot-unproven',
      message: `slot ${running.slot} is still on probation: it has no proven slot to fall back to`,
    };
  return undefined;
}

const fallback: UpdateReason = {
  code: 'bootloader-fallback',
  message: 'the boot loader went back to the old slot: the new one did not come up',
};

function wrongBundle({ bundle }: Update, running: Running): UpdateReason {
  return {
    code: 'wrong-bundle',
    message: `slot ${running.slot ?? '?'} booted bundle ${running.bundleUuid ?? '?'} instead of ${bundle.bundleUuid}`,
  };
}
