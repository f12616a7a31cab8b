import type { RolloutRequest } from '../client/contract/rollout.ts';
import type { RolloutReport } from '../client/contract/rollout-report.ts';
import { chooseTargets } from '../coordinator/rollout/choose-target.ts';
import { pinTag } from '../coordinator/rollout/offer-rule.ts';
import { requireFit } from '../coordinator/rollout/plan-action.ts';
import { planRollout } from '../coordinator/rollout/plan-rollout.ts';
import { reportRollout } from '../coordinator/rollout/report-rollout.ts';
import type { TimerPolicy } from '../coordinator/rollout/rollout-state.ts';
import { FlotillaError } from '../error.ts';
import type { BundleOffer } from '../protocol/request.ts';
import { assignBehaviour } from './behaviour.ts';
import { Chance } from './chance.ts';
import { textTags, type Fleet } from './fleet.ts';
import type { FleetModel } from './fleet-model.ts';
import { simulateRollout, type Simulated } from './simulate-rollout.ts';

export interface PolicyTrial {
  request: RolloutRequest;
  fleet: Fleet;
  model: FleetModel;
  timers: TimerPolicy;
  seed: number;
  /** What time it is when the rollout starts: windows open by it. */
  startMs: number;
  /** Virtual time after which it is given up. */
  limitSeconds: number;
  bundleBytes: number;
}

/** The report that a real rollout of this course would have, and what only a simulation knows. */
export interface Trial {
  version: 1;
  seed: number;
  ending: Simulated['ending'];
  /** Of virtual time. */
  durationSeconds: number;
  /** The most devices that were being updated at once; of the whole, and of each phase. */
  peakInFlight: number;
  phasePeaks: number[];
  /** What the rollout was told in all. */
  inputs: number;
  report: RolloutReport;
}

const partBytes = 262_144;
/** Of a job whose policy does not say it, as a coordinator's configuration has it when nobody has changed it. */
const jobTimeoutSeconds = 300;

/** @throws FlotillaError as planRollout and assignBehaviour; `none-matched` when the policy matches no device */
export function simulatePolicy({ request, fleet, model, timers, ...trial }: PolicyTrial): Trial {
  const { seed, startMs, limitSeconds, bundleBytes } = trial;
  const behaviour = assignBehaviour(model, fleet, seed);
  const matched = fleet.select(request.selector);
  if (matched.length === 0) {
    throw new FlotillaError('none-matched', 'device-none-matched', 'the selector matches no device of the fleet', {
      seen: request.selector,
    });
  }
  requireFit(request);
  const known = new Map(fleet.devices.map((device) => [device.id, { ...device, tags: textTags(device) }]));
  const select = (selector: string): ReadonlySet<string> => new Set(fleet.select(selector));
  const { targets } = chooseTargets(request, matched, { select, pin: (id) => known.get(id)?.tags[pinTag] });
  const { action } = request;
  const program =
    action?.kind === 'agent-update'
      ? { release: action.release, bundle: bundleOf(action.release, bundleBytes) }
      : undefined;
  const rollout = planRollout(request, targets, {
    id: 'r-simulated',
    ...(request.release === undefined
      ? {}
      : { release: request.release, bundle: bundleOf(request.release, bundleBytes) }),
    terms: { timeoutSeconds: jobTimeoutSeconds, ...(program === undefined ? {} : { program }) },
    startedBy: 'simulation',
    timers,
    nowMs: startMs,
    connected: (id) => behaviour.of(id).awayFor === undefined,
    heldBy: () => undefined,
    select,
    facts: (id) => known.get(id)!,
  });
  const { rollout: ended, ...simulated } = simulateRollout({
    rollout,
    fleet: fleet.devices,
    behaviour,
    chance: new Chance(seed),
    untilMs: startMs + limitSeconds * 1000,
  });
  return {
    version: 1,
    seed,
    ending: simulated.ending,
    durationSeconds: (simulated.endedAtMs - startMs) / 1000,
    peakInFlight: simulated.peak,
    phasePeaks: simulated.peaks,
    inputs: simulated.inputs,
    report: reportRollout(ended.document, [...ended.devices], simulated.endedAtMs),
  };
}

function bundleOf(release: string, sizeBytes: number): BundleOffer {
  const [product = 'product', version = '0.0.0'] = release.split('/');
  return {
    product,
    version,
    bundleUuid: '00000000-0000-4000-8000-000000000001',
    sizeBytes,
    sha256: '0'.repeat(64),
    partBytes,
    partSha256: [],
  };
}
