import { dirname, resolve } from 'node:path';
import { parseConfig } from '../config/read-config.ts';
import { FlotillaError } from '../error.ts';
import { judgeTrial, type Fleet, type Miss, type Trial } from '../simulation/index.ts';
import { policyCasesField, type CaseSetting, type PolicyCase } from './policy-case-file.ts';
import { readInput } from './read-input.ts';
import { readSimulatedFleet, writtenFleet } from './read-simulated-fleet.ts';
import { readRolloutPolicy } from './rollout-policy-file.ts';
import { defaultLimitSeconds, defaultSeed, defaultStartMs, tryPolicy } from './try-policy.ts';

export interface CaseResult {
  name: string;
  passed: boolean;
  /** What is not as expected. */
  misses: Miss[];
  /** What came of it: `halted: 1 of 1 ended devices failed`. */
  outcome: string;
  counts: Record<string, number>;
  touched: number;
  peakInFlight: number;
  /** Of virtual time. */
  durationSeconds: number;
  /** Of this machine's. */
  tookMs: number;
}

export interface CasesReport {
  version: 1;
  file: string;
  passed: number;
  failed: number;
  cases: CaseResult[];
}

const maxFileBytes = 1024 * 1024;

/**
 * Tries every case of the file, in its order.
 * @throws FlotillaError `usage` for a file, a policy or a fleet that can't be read: nothing was proven then
 */
export async function runPolicyCases(file: string, nowMs: () => number): Promise<CasesReport> {
  const source = (await readInput(file, 'a file of policy tests', maxFileBytes)).toString();
  const { cases, ...shared } = parseConfig(source, file, policyCasesField);
  const results: CaseResult[] = [];
  for (const each of cases) {
    const startedMs = nowMs();
    const trial = await tryCase({ ...shared, ...each }, dirname(file));
    results.push(resultOf(each, trial, nowMs() - startedMs));
  }
  const passed = results.filter((result) => result.passed).length;
  return { version: 1, file, passed, failed: results.length - passed, cases: results };
}

async function tryCase(setting: CaseSetting & PolicyCase, folder: string): Promise<Trial> {
  const { name, policy, model = {}, seed = defaultSeed, at, limit = defaultLimitSeconds } = setting;
  if (policy === undefined) throw incomplete(name, 'policy', 'policy: FILE, of the case or of the whole file');
  const startMs = at === undefined ? defaultStartMs : Date.parse(at);
  const request = await readRolloutPolicy(resolve(folder, policy));
  const fleet = await fleetOf(setting, folder, startMs);
  try {
    return tryPolicy({ request, fleet, model, seed, startMs, limitSeconds: limit });
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    throw new FlotillaError(error.fault, error.code, `case '${name}': ${error.message}`, error.detail);
  }
}

async function fleetOf({ name, fleet }: CaseSetting & PolicyCase, folder: string, nowMs: number): Promise<Fleet> {
  if (fleet === undefined) throw incomplete(name, 'fleet', 'fleet: FILE or a map, of the case or of the whole file');
  return typeof fleet === 'string' ? readSimulatedFleet(resolve(folder, fleet), nowMs) : writtenFleet(fleet, nowMs);
}

function resultOf({ name, expect }: PolicyCase, trial: Trial, tookMs: number): CaseResult {
  const misses = judgeTrial(expect, trial);
  const { rollout, touched } = trial.report;
  return {
    name,
    passed: misses.length === 0,
    misses,
    outcome: rollout.reason === undefined ? trial.ending : `${trial.ending}: ${rollout.reason}`,
    counts: rollout.counts,
    touched,
    peakInFlight: trial.peakInFlight,
    durationSeconds: trial.durationSeconds,
    tookMs: Math.round(tookMs),
  };
}

function incomplete(name: string, what: string, expected: string): FlotillaError {
  return new FlotillaError('usage', 'policy-case-incomplete', `case '${name}' has no ${what}`, {
    seen: name,
    expected,
  });
}
