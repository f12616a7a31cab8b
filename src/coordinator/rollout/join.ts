import { PersistentList } from '../persistent-list.ts';
import { createQueues } from './offer-queue.ts';
import type { RolloutDraft } from './rollout-draft.ts';
import { newTarget, type TargetDevice } from './target-device.ts';
import { addTally, tallyOf } from './tally.ts';

/** A device that matches a continuous rollout after it was planned, with what limits it. */
export interface Joining {
  deviceId: string;
  group?: string;
  zone?: string;
}

/**
 * Takes devices into the last phase: they pass every gate before it as all others do, and count in those of their own.
 * They come behind everybody, so that the place of nobody changes.
 */
export function join(draft: RolloutDraft, joining: readonly Joining[]): void {
  const { state, document } = draft;
  if (document.policy.continuous !== true || document.state === 'aborted' || document.state === 'completed') return;
  const phase = document.phases.length - 1;
  const isOpen = document.currentPhase >= phase;
  const fresh = [...new Map(joining.map((device) => [device.deviceId, device])).values()].filter(
    ({ deviceId }) => !state.index.has(deviceId),
  );
  if (fresh.length === 0) return;
  const { nowMs } = draft;
  const added = fresh.map((device): TargetDevice => ({
    ...newTarget({ ...device, phase }, nowMs),
    state: isOpen ? 'queued' : 'waiting',
  }));
  const devices = PersistentList.from([...state.devices, ...added]);
  const index = new Map(state.index);
  const counts = { ...document.counts };
  let tally = state.tallies[phase]!;
  for (const [offset, device] of added.entries()) {
    index.set(device.deviceId, state.devices.length + offset);
    counts[device.state] = (counts[device.state] ?? 0) + 1;
    tally = addTally(tally, tallyOf(device));
  }
  // In the order of the devices: the queues that were there keep their numbers.
  const queues = createQueues(devices);
  const more = queues.queues.length - state.lookFrom.length;
  const last = document.phases[phase]!;
  draft.state = {
    ...state,
    devices,
    index,
    queues,
    tallies: state.tallies.with(phase, tally),
    lookFrom: [
      ...state.lookFrom.map((from) => Math.min(from, state.devices.length)),
      ...Array.from({ length: more }, () => state.devices.length),
    ],
    inFlight: [...state.inFlight, ...Array.from({ length: queues.groups.size - state.inFlight.length }, () => 0)],
    online: PersistentList.from([...state.online, ...added.map(() => false)]),
    document: {
      ...document,
      counts,
      phases: document.phases.with(phase, { ...last, size: last.size + added.length }),
    },
  };
  for (const [offset, device] of added.entries()) {
    const position = state.devices.length + offset;
    const { deviceId } = device;
    draft.effects.push({ kind: 'member', member: { parentId: document.id, position, deviceId, document: device } });
    draft.look(position);
  }
}
