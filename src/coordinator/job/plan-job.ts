import type { JobRequest } from '../../client/contract/job.ts';
import { FlotillaError } from '../../error.ts';
import { requireTemplates } from './argument-template.ts';
import { createJobState, type JobDocument, type JobState } from './job-state.ts';
import { rampOffsets } from './ramp.ts';

export interface JobPolicy {
  defaultTimeoutSeconds: number;
  defaultExpiresSeconds: number;
  /** A mutation on more than this share of the fleet asks for a confirmation. */
  confirmAboveShare: number;
}

export interface PlanContext {
  id: string;
  policy: JobPolicy;
  /** Accepted devices, matched or not. */
  fleetSize: number;
  submittedBy: string;
  nowMs: number;
  /** An operator has confirmed this share of the fleet before: of a schedule. */
  confirmedShare?: number;
  /** What the job comes from, where it is not an operator's own. */
  origin?: Pick<JobDocument, 'retryOf' | 'schedule'>;
  /** Of coordinator.yaml: every job's, and those that a job may ask for. */
  returners?: { always: readonly string[]; known: ReadonlySet<string> };
  /** Uniform in [0, 1). */
  random(): number;
}

/** Up to this many devices are never a surprise: no confirmation is asked for. */
export const alwaysConfirmed = 10;

/** A confirmation is asked for above this number of devices, when they are also more than this share of the fleet. */
export interface ConfirmRule {
  above: number;
  share: number;
}

/** A restart takes a machine away from its work, and perhaps for good: more than one is typed. */
export function confirmRule(
  { kind }: Pick<JobRequest['action'], 'kind'>,
  { confirmAboveShare }: Pick<JobPolicy, 'confirmAboveShare'>,
  confirmedShare = 0,
): ConfirmRule {
  if (kind === 'reboot') return { above: 1, share: confirmedShare };
  return { above: alwaysConfirmed, share: Math.max(confirmAboveShare, confirmedShare) };
}
const defaultMaxOutputBytes = 64 * 1024;

/**
 * The frozen list of devices and the rules of a job.
 * @param matched ids that the selector matched, sorted
 * @throws FlotillaError `none-matched`, or `refused` by a safety rule
 */
export function planJob(request: JobRequest, matched: readonly string[], context: PlanContext): JobState {
  requireWork(request);
  const { confirmedShare, policy: rules } = context;
  requireSize('job', request, matched.length, context.fleetSize, confirmRule(request.action, rules, confirmedShare));
  const ids = request.subset === undefined ? matched : sample(matched, request.subset, context.random);
  const { nowMs, policy } = context;
  const { rampSeconds } = request;
  const expiresSeconds = request.expiresSeconds ?? policy.defaultExpiresSeconds;
  if (rampSeconds !== undefined && rampSeconds >= expiresSeconds) {
    throw new FlotillaError('usage', 'job-ramp', 'the job expires before its ramp is over', {
      seen: `a ramp of ${rampSeconds} s, and ${expiresSeconds} s until it expires`,
      suggestion: 'give a shorter --ramp, or a longer --expires',
    });
  }
  const offsets = rampSeconds === undefined ? [] : rampOffsets(ids, rampSeconds * 1_000);
  return createJobState(
    {
      id: context.id,
      selector: request.selector,
      action: request.action,
      ...(request.hold === undefined ? {} : { hold: request.hold }),
      ...(rampSeconds === undefined ? {} : { rampSeconds }),
      ...(request.follow === true ? { follow: true } : {}),
      timeoutSeconds: request.timeoutSeconds ?? policy.defaultTimeoutSeconds,
      maxOutputBytes: request.maxOutputBytes ?? defaultMaxOutputBytes,
      submittedBy: context.submittedBy,
      submittedAtMs: nowMs,
      expiresAtMs: nowMs + Math.round(expiresSeconds * 1000),
      window: request.batch === undefined ? 0 : windowOf(request.batch, ids.length),
      maxFailures: request.maxFailures ?? 0,
      ...context.origin,
      ...returnersOf(request, context),
      state: 'running',
      matched: ids.length,
      counts: { waiting: ids.length },
    },
    ids.map((deviceId, position) => ({
      deviceId,
      state: 'waiting',
      atMs: nowMs,
      ...(rampSeconds === undefined ? {} : { startAtMs: nowMs + offsets[position]! }),
    })),
  );
}

/**
 * The safety rules on the size of a mutation, for jobs, rollouts and settings alike. The confirmation rule is for fleets of more
 * than a handful: up to `alwaysConfirmed` matched devices never ask.
 */
export function requireSize(
  area: 'job' | 'rollout' | 'config' | 'agent-update',
  { selector, max, expect, subset }: { selector: string; max?: number; expect?: number; subset?: number },
  matchedCount: number,
  fleetSize: number,
  confirm: number | ConfirmRule,
): void {
  const { above, share: confirmAboveShare } =
    typeof confirm === 'number' ? { above: alwaysConfirmed, share: confirm } : confirm;
  if (matchedCount === 0) {
    throw new FlotillaError('none-matched', `${area}-none-matched`, 'the selector matches no accepted device', {
      seen: selector,
      suggestion: `flotilla select match '${selector}'`,
    });
  }
  const count = Math.min(matchedCount, subset ?? matchedCount);
  if (max !== undefined && count > max) {
    throw new FlotillaError('refused', `${area}-above-max`, 'the selector matches more devices than --max allows', {
      seen: `${count} devices`,
      expected: `at most ${max}`,
      suggestion: `flotilla select match '${selector}'`,
    });
  }
  if (expect !== undefined && expect !== count) {
    throw new FlotillaError('refused', `${area}-count-changed`, 'the selector does not match what was confirmed', {
      seen: `${count} devices`,
      expected: `${expect}`,
      suggestion: `flotilla select match '${selector}'`,
    });
  }
  if (expect === undefined && count > above && count > confirmAboveShare * fleetSize) {
    const share = Math.round((100 * count) / fleetSize);
    const isLarge = above === alwaysConfirmed;
    const what = isLarge ? 'this is a large part of the fleet' : 'more than one machine would restart';
    throw new FlotillaError('refused', 'confirmation-needed', what, {
      seen: `${count} of ${fleetSize} devices (${share} %)`,
      expected: isLarge
        ? `at most ${Math.round(confirmAboveShare * 100)} %, or the number confirmed`
        : 'one device, or the number confirmed',
      suggestion: `add --expect ${count} if that is what you mean`,
    });
  }
}

/** @throws FlotillaError when no device could do this, whichever match */
export function requireWork({ action, hold, rampSeconds }: Pick<JobRequest, 'action' | 'hold' | 'rampSeconds'>): void {
  requireTemplates(action);
  if (hold !== undefined) requireTemplates(hold.restore);
  // A document of settings is set, not started: there is no moment for a ramp, and nothing that a device takes back.
  if (action.kind !== 'config' || (hold === undefined && rampSeconds === undefined)) return;
  throw new FlotillaError('usage', 'job-config-ramp', 'settings have neither a ramp nor an action behind --then', {
    suggestion: 'use --batch to go on step by step',
  });
}

function returnersOf(
  { returners = [] }: JobRequest,
  { returners: given }: PlanContext,
): Pick<JobDocument, 'returners'> {
  const unknown = returners.find((name) => given?.known.has(name) !== true);
  if (unknown !== undefined) {
    throw new FlotillaError('usage', 'returner-unknown', `the coordinator has no returner ${unknown}`, {
      seen: unknown,
      expected: [...(given?.known ?? [])].join(', ') || 'none is in coordinator.yaml',
    });
  }
  const all = [...new Set([...(given?.always ?? []), ...returners])];
  return all.length === 0 ? {} : { returners: all };
}

/** "50" devices or "10%" of them, at least one. */
function windowOf(batch: string, count: number): number {
  const value = Number.parseInt(batch, 10);
  const isShare = batch.endsWith('%');
  if (value >= 1 && (!isShare || value <= 100)) return isShare ? Math.ceil((count * value) / 100) : value;
  throw new FlotillaError(
    'usage',
    'job-batch',
    value === 0 ? 'a batch of no devices would never start' : 'a batch is at most all devices',
    { seen: batch, expected: 'a count above 0, or a percentage from 1% to 100%' },
  );
}

/** `size` of the ids, each subset as likely as another; in the order of the ids. */
function sample(ids: readonly string[], size: number, random: () => number): string[] {
  const pool = [...ids];
  const count = Math.min(size, pool.length);
  for (let index = 0; index < count; index += 1) {
    const other = index + Math.floor(random() * (pool.length - index));
    [pool[index], pool[other]] = [pool[other] as string, pool[index] as string];
  }
  return pool.slice(0, count).toSorted();
}
