import type { GrainsChangeEvent, GrainsEvent } from '../../protocol/event.ts';
import { canonicalJson, digestOfJson, shortDigest } from '../../protocol/grain-digest.ts';
import { changeDevice } from './device-operation.ts';
import { checkBoundGrains } from './enroll-operation.ts';
import { maxFactBytes } from './read-event.ts';
import { enqueueRequest } from './request-operation.ts';
import type { Turn } from './turn.ts';

type Grains = GrainsEvent['grains'];

/** How long the device is asked for the whole set, should it be away. */
const refreshMs = 86_400_000;

export function takeGrains(turn: Turn, deviceId: string, grains: Grains): void {
  changeDevice(turn, deviceId, { kind: 'grains', grains });
  checkBoundGrains(turn, deviceId);
}

/**
 * Changes what is known by what a device has sent of it. Not what the change was made from, because this coordinator was
 * set back, has removed the device meanwhile, or has refused the report before: then nothing is changed, and the device
 * is asked for all of it.
 */
export function takeGrainsChange(turn: Turn, deviceId: string, change: GrainsChangeEvent): void {
  const device = turn.state.devices.get(deviceId);
  if (device === undefined) return;
  const after = applyChange(device.grains, change);
  if (after === undefined) return askForGrains(turn, deviceId);
  takeGrains(turn, deviceId, after);
}

/** Undefined when the set before or after is not the one that is named, or is larger than a device may report. */
export function applyChange(before: Grains, { base, result, set, unset }: GrainsChangeEvent): Grains | undefined {
  if (digestOf(before) !== base) return undefined;
  const after: Grains = { ...before, ...set };
  for (const name of unset) delete after[name];
  return digestOf(after) === result ? after : undefined;
}

function digestOf(grains: Grains): string | undefined {
  try {
    const json = canonicalJson(grains);
    return json.length > maxFactBytes ? undefined : shortDigest(digestOfJson(json));
  } catch (error) {
    // Nested too deep to be printed: it has no name.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Once, however many changes do not fit. */
function askForGrains(turn: Turn, deviceId: string): void {
  const waits = (turn.state.outboxes.get(deviceId) ?? []).some(({ type }) => type === 'grains.refresh');
  if (waits) return;
  enqueueRequest(turn, deviceId, {
    type: 'grains.refresh',
    key: '',
    payload: {},
    expiresAtMs: turn.nowMs + refreshMs,
  });
}
