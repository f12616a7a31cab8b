import type { Rollout, RolloutDevice } from '../../client/contract/rollout.ts';
import type { RolloutDocument } from './rollout-state.ts';
import type { TargetDevice } from './target-device.ts';

/** The rollout as the API shows it, without devices. */
export function viewRollout(document: RolloutDocument): Rollout {
  const {
    id,
    release,
    bundle,
    action,
    selector,
    state,
    startedAtMs,
    startedBy,
    revision,
    currentPhase,
    policy,
    counts,
  } = document;
  return {
    id,
    ...(release === undefined ? {} : { release }),
    ...(bundle === undefined ? {} : { bundleUuid: bundle.bundleUuid }),
    ...(action === undefined ? {} : { action }),
    selector,
    state,
    ...(document.reason === undefined ? {} : { reason: document.reason }),
    startedAtMs,
    startedBy,
    ...(document.endedAtMs === undefined ? {} : { endedAtMs: document.endedAtMs }),
    revision,
    currentPhase,
    phases: document.phases.map(({ soakingSinceMs: _s, forgiven: _f, healthy: _h, ...phase }) => phase),
    policy,
    counts,
  };
}

export function viewTarget(device: TargetDevice): RolloutDevice {
  const {
    bootIdAtOffer: _b,
    serialAtOffer: _s,
    deltaSha256: _d,
    activeAtMs: _a,
    late: _l,
    cancelAsked: _c,
    entered: _e,
    ...shown
  } = device;
  return shown;
}

/** Nothing of it can change any more: it need not be in memory. */
export function isSettled(document: RolloutDocument): boolean {
  if (document.state !== 'completed' && document.state !== 'aborted') return false;
  const open = ['offered', 'downloading', 'verified', 'installing', 'rebooting', 'testing', 'running'];
  return open.every((state) => document.counts[state] === undefined);
}
