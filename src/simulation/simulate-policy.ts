import type { RolloutRequest } from '../client/contract/rollout.ts';
import type { RolloutReport } from '../client/contract/rollout-report.ts';
import { chooseTargets } from '../coordinator/rollout/choose-target.ts';
import { pinTag } from '../coordinator/rollout/offer-rule.ts';
import { planRollout } from '../coordinator/rollout/plan-rollout.ts';
import { reportRollout } from '../coordinator/rollout/report-rollout.ts';
import type { TimerPolicy } from '../coordinator/rollout/rollout-state.ts';
import { parseSelector, selectIds } from '../selector/index.ts';
import { assignBehaviour } from './behaviour.ts';
import { Chance } from './chance.ts';
import type { FleetDevice } from './fleet-file.ts';
import type { FleetModel } from './fleet-model.ts';
import { simulateRollout, type Simulated } from './simulate-rollout.ts';
import type { ReadDuration } from './stretch.ts';

export interface PolicyTrial {
  request: RolloutRequest;
  fleet: readonly FleetDevice[];
  model: FleetModel;
  timers: TimerPolicy;
  seed: number;
  /** What time it is when the rollout starts: windows open by it. */
  startMs: number;
  /** Virtual time after which it is given up. */
  limitSeconds: number;
  bundleBytes: number;
  seconds: ReadDuration;
}

/** What `rollout simulate` gives: the report that a real rollout of this course would have, and what only a simulation knows. */
export interface Trial {
  version: 1;
  simulated: true;
  seed: number;
  ending: Simulated['ending'];
  /** Of virtual time. */
  durationSeconds: number;
  /** The most devices that were being updated at once; of the whole, and while each phase ran. */
  peakInFlight: number;
  phasePeaks: number[];
  inputs: number;
  report: RolloutReport;
}

const rolloutId = 'r-simulated';
const partBytes = 262_144;

/** @throws FlotillaError as planRollout and assignBehaviour; `none-matched` when the policy matches no device */
export function simulatePolicy(trial: PolicyTrial): Trial {
  const { request, fleet, model, seed, startMs, limitSeconds, bundleBytes } = trial;
  const behaviour = assignBehaviour(model, fleet, {
    chanceOf: (name) => new Chance(seed + hashOf(name)),
    seconds: trial.seconds,
    nowMs: startMs,
  });
  const select = (selector: string): string[] => selectIds(parseSelector(selector), fleet, startMs);
  const [product = 'product', version = '0.0.0'] = request.release.split('/');
  const known = new Map(fleet.map((device) => [device.id, device]));
  const { targets } = chooseTargets(request, select(request.selector), {
    select: (selector) => new Set(select(selector)),
    pin: (id) => {
      const pin = known.get(id)?.tags[pinTag];
      return typeof pin === 'string' ? pin : undefined;
    },
  });
  const rollout = planRollout(request, targets, {
    id: rolloutId,
    release: request.release,
    bundle: {
      product,
      version,
      bundleUuid: '00000000-0000-4000-8000-000000000001',
      sizeBytes: bundleBytes,
      sha256: '0'.repeat(64),
      partBytes,
      partSha256: [],
    },
    startedBy: 'simulation',
    timers: trial.timers,
    nowMs: startMs,
    connected: (id) => behaviour.of(id).awayFor === undefined,
    heldBy: () => undefined,
    select: (selector) => new Set(select(selector)),
    facts: (id) => known.get(id)!,
  });
  const { rollout: ended, ...simulated } = simulateRollout({
    rollout,
    fleet,
    behaviour,
    chance: new Chance(seed),
    untilMs: startMs + limitSeconds * 1000,
  });
  return {
    version: 1,
    simulated: true,
    seed,
    ending: simulated.ending,
    durationSeconds: (simulated.endedAtMs - startMs) / 1000,
    peakInFlight: simulated.peak,
    phasePeaks: simulated.peaks,
    inputs: simulated.inputs,
    report: reportRollout(ended.document, [...ended.devices], simulated.endedAtMs),
  };
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  return hash;
}
