import { FlotillaError } from '../error.ts';
import { createFleet, type Fleet, type Trial } from '../simulation/index.ts';
import { parseDuration } from './duration.ts';
import { openClient } from './open-client.ts';
import { readSimulatedFleet, sourceOf } from './read-simulated-fleet.ts';
import { readRolloutPolicy } from './rollout-policy-file.ts';
import {
  trialFlagNames,
  trialOfFlags,
  withModelFlags,
  type ModelFlagValues,
  type TrialFlagValues,
} from './simulate-flag.ts';
import { defaultLimitSeconds, defaultStartMs, readFleetModel, tryPolicy } from './try-policy.ts';

export interface TrialFlags extends TrialFlagValues, ModelFlagValues {
  model?: string | undefined;
  fleet?: string | undefined;
  devices?: number | undefined;
  seed: number;
  at?: string | undefined;
  limit?: string | undefined;
  'fleet-dir'?: string | undefined;
  context?: string | undefined;
}

/** What `rollout simulate` was asked for. */
export async function runTrial(policy: string | undefined, flags: TrialFlags): Promise<Trial> {
  const said = trialFlagNames.find((name) => flags[name] !== undefined);
  if (policy !== undefined && said !== undefined) {
    throw new FlotillaError('usage', 'simulate-two-policies', 'a policy is a file or flags, not both', {
      seen: `${policy} and --${said}`,
      suggestion: `leave --${said} out, or write it into the file`,
    });
  }
  const startMs = flags.at === undefined ? defaultStartMs : parseTime(flags.at);
  return tryPolicy({
    request: policy === undefined ? trialOfFlags(flags) : await readRolloutPolicy(policy),
    fleet: await simulatedFleet(flags, startMs),
    model: withModelFlags(await readFleetModel(flags.model), flags),
    seed: flags.seed,
    startMs,
    limitSeconds: parseDuration(flags.limit, '--limit') ?? defaultLimitSeconds,
  });
}

async function simulatedFleet(flags: TrialFlags, nowMs: number): Promise<Fleet> {
  const { fleet, devices } = flags;
  if (devices !== undefined) return createFleet([], [{ count: devices, id: 'd-{n}' }], { nowMs });
  if (fleet === 'recorded') return recordedFleet(flags, nowMs);
  if (fleet !== undefined) return readSimulatedFleet(fleet, nowMs);
  throw new FlotillaError('usage', 'simulate-no-fleet', 'there are no devices to try it on', {
    expected: '--fleet FILE, --fleet recorded (what the coordinator knows) or --devices N',
  });
}

/** The accepted devices as the coordinator knows them now. */
async function recordedFleet(flags: TrialFlags, nowMs: number): Promise<Fleet> {
  const client = await openClient(flags);
  const [devices, groups] = await Promise.all([client.devices({}), client.groups()]);
  const accepted = devices
    .filter(({ state }) => state === 'accepted')
    .map(({ id, grains, tags, running }) => ({
      id,
      grains,
      tags,
      ...(running?.bundleUuid === undefined ? {} : { runningUuid: running.bundleUuid }),
    }));
  const named = Object.fromEntries(groups.map(({ name, expression }) => [name, expression]));
  return createFleet(accepted, [], { groups: sourceOf(named), nowMs });
}

function parseTime(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new FlotillaError('usage', 'simulate-time', '--at is not a time', {
    seen: JSON.stringify(text),
    expected: '2026-01-05T02:00:00Z',
  });
}
