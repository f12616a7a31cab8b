import { describe, expect, it } from 'vitest';
import { bootVerdict, slotObstacle, type MachineFact } from '../../../src/agent/updater/boot-verdict.ts';
import type { DeviceUpdateState, Update } from '../../../src/agent/updater/update.ts';

const oldUuid = 'old-uuid';
const newUuid = 'new-uuid';

const update = (state: DeviceUpdateState, more: Partial<Update> = {}) =>
  ({
    state,
    before: { bootId: 'boot-1', slot: 'a', bundleUuid: oldUuid },
    bundle: { bundleUuid: newUuid },
    ...more,
  }) as Update;

function machine(
  running: { bootId: string; slot: string; bundleUuid?: string },
  active: string,
  b?: string,
  pending = false,
): MachineFact {
  return {
    running,
    slots: {
      active,
      pending,
      bootCount: 0,
      slots: { a: { uuid: oldUuid }, ...(b === undefined ? {} : { b: { uuid: b } }) },
    },
  };
}

const sameBoot = { bootId: 'boot-1', slot: 'a', bundleUuid: oldUuid };
const newBootOldSlot = { bootId: 'boot-2', slot: 'a', bundleUuid: oldUuid };
const newBootNewSlot = { bootId: 'boot-2', slot: 'b', bundleUuid: newUuid };

describe('what a machine proves', () => {
  it('takes the death of the agent alone for no restart', () => {
    expect(bootVerdict(update('rebooting'), machine(sameBoot, 'b', newUuid, true))).toBeUndefined();
  });

  it('takes a new boot on the new slot for the step to testing, and only with the bundle that was offered', () => {
    expect(bootVerdict(update('rebooting'), machine(newBootNewSlot, 'b', newUuid, true))?.type).toBe('booted-new');
    const other = { ...newBootNewSlot, bundleUuid: 'another' };
    expect(bootVerdict(update('rebooting'), machine(other, 'b', 'another', true))).toMatchObject({
      type: 'test-failed',
      reason: { code: 'wrong-bundle' },
    });
  });

  it('takes a new boot on the old slot for a fall-back, in rebooting and in testing', () => {
    for (const state of ['rebooting', 'testing'] as const) {
      expect(bootVerdict(update(state), machine(newBootOldSlot, 'a', newUuid))).toMatchObject({
        type: 'fell-back',
        reason: { code: 'bootloader-fallback' },
      });
    }
  });

  it('goes on to the restart when the slot was flipped and that was not recorded, also when the machine has restarted since', () => {
    expect(bootVerdict(update('installing'), machine(sameBoot, 'b', newUuid, true))).toEqual({ type: 'flipped' });
    expect(bootVerdict(update('installing'), machine(newBootNewSlot, 'b', newUuid, true))).toEqual({ type: 'flipped' });
  });

  it('installs again when nothing was flipped', () => {
    expect(bootVerdict(update('installing'), machine(sameBoot, 'a'))).toBeUndefined();
    expect(bootVerdict(update('installing'), machine(newBootOldSlot, 'a'))).toBeUndefined();
  });

  it('never writes over the old slot when it finds itself on another one in mid-install', () => {
    const other = { ...newBootNewSlot, bundleUuid: 'another' };
    expect(bootVerdict(update('installing'), machine(other, 'b', 'another'))?.type).toBe('install-failed');
  });

  it('sees a boot loader that took an unrecorded flip back', () => {
    expect(bootVerdict(update('installing'), machine(newBootOldSlot, 'a', newUuid))?.type).toBe('fell-back');
    // Unless the other slot was called that before the install began: then nothing is proved.
    expect(
      bootVerdict(update('installing', { inactiveUuid: newUuid }), machine(newBootOldSlot, 'a', newUuid)),
    ).toBeUndefined();
  });

  it('sees that a revert is done only when the old slot runs and is the one that boots next', () => {
    expect(bootVerdict(update('reverting'), machine(newBootOldSlot, 'a', newUuid))?.type).toBe('reverted');
    expect(bootVerdict(update('reverting'), machine(newBootOldSlot, 'b', newUuid, true))).toBeUndefined();
    expect(bootVerdict(update('reverting'), machine(newBootNewSlot, 'a', newUuid))).toBeUndefined();
  });

  it('names what stands in the way of an install', () => {
    expect(slotObstacle(machine(sameBoot, 'a'))).toBeUndefined();
    expect(slotObstacle(machine(sameBoot, 'a', undefined, true))?.code).toBe('slot-unproven');
    expect(slotObstacle(machine(sameBoot, 'b', newUuid, true))?.code).toBe('slot-not-running');
    expect(slotObstacle({ ...machine(sameBoot, 'a'), running: { bootId: 'boot-1' } })?.code).toBe('slot-unknown');
  });
});
