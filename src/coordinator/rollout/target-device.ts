import type { RolloutDevice } from '../../client/contract/rollout.ts';
import { failureStates, inFlightStates, type RolloutDeviceState } from '../../client/contract/rollout-device-state.ts';

export type Reason = NonNullable<RolloutDevice['reason']>;

/** One target. What the API shows of it, and what the coordinator needs to judge it. */
export interface TargetDevice extends RolloutDevice {
  /** The boot id that the coordinator knew when it made the offer; a success needs another one. */
  bootIdAtOffer?: string;
  /** The certificate that it had when it was asked for a new one. */
  serialAtOffer?: string;
  /** The delta that it was offered beside the whole bundle. */
  deltaSha256?: string;
  /** `sinceMs` by the clock that judges silence: the last word about this device in this state. */
  activeAtMs: number;
  /** When its last try came to each state. */
  entered?: Partial<Record<RolloutDeviceState, number>>;
  /** The device told something after it had ended here. */
  late?: boolean;
  /** It was told to cancel an attempt that is tried again: its word on that is not about the next one. */
  cancelAsked?: boolean;
}

/** As a plan begins with it. */
export function newTarget(
  { deviceId, phase, group, zone }: Pick<TargetDevice, 'deviceId' | 'phase' | 'group' | 'zone'>,
  nowMs: number,
): TargetDevice {
  return {
    deviceId,
    phase,
    state: 'waiting',
    sinceMs: nowMs,
    activeAtMs: nowMs,
    attempts: 0,
    ...(group === undefined ? {} : { group }),
    ...(zone === undefined ? {} : { zone }),
  };
}

const openStates: readonly RolloutDeviceState[] = ['waiting', 'queued', ...inFlightStates];

export function isInFlight(state: RolloutDeviceState): boolean {
  return inFlightStates.includes(state);
}

/** Waits, or is being updated. */
export function isOpen(state: RolloutDeviceState): boolean {
  return openStates.includes(state);
}

/**
 * Ended badly, or nobody knows how, after it was offered it. A device that rejected it, or that was never reached, says
 * nothing about it and is no failure.
 */
export function isFailure(device: Pick<TargetDevice, 'state' | 'attempts'>): boolean {
  return device.attempts > 0 && failureStates.includes(device.state);
}

export function isSuccess(state: RolloutDeviceState): boolean {
  return state === 'committed' || state === 'already';
}
